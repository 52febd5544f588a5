package rehearsal

import (
	"math/rand/v2"
	"reflect"
	"slices"
)

// Pool holds the values that a Mutate puts into messages.
type Pool struct {
	Numbers []uint64
	Texts   []string
	Bytes   [][]byte
}

// Mutate changes one thing somewhere in a message: a number, a text, some bytes, the length or the order of a list.
func (p *Pool) Mutate(r *rand.Rand, message any) { p.change(r, reflect.ValueOf(message)) }

func (p *Pool) change(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			p.change(r, v.Elem())
		}
	case reflect.Struct:
		if v.NumField() > 0 {
			p.change(r, v.Field(r.IntN(v.NumField())))
		}
	case reflect.Slice:
		p.changeList(r, v)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(p.Texts[r.IntN(len(p.Texts))])
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(p.number(r, v.Uint()) & (1<<(8*v.Type().Size()) - 1))
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(p.number(r, uint64(v.Int()))))
	default:
		panic("rehearsal: messages hold no " + v.Kind().String())
	}
}

// number returns one near the old one, or any.
func (p *Pool) number(r *rand.Rand, old uint64) uint64 {
	if r.IntN(3) == 0 {
		return old + uint64(r.IntN(5)) - 2
	}
	return p.Numbers[r.IntN(len(p.Numbers))]
}

func (p *Pool) changeList(r *rand.Rand, v reflect.Value) {
	n := v.Len()
	if v.Type().Elem().Kind() == reflect.Uint8 {
		v.SetBytes(p.bytes(r, v.Bytes()))
		return
	}
	if n == 0 {
		added := reflect.New(v.Type().Elem()).Elem()
		if added.Kind() == reflect.Pointer {
			added.Set(reflect.New(added.Type().Elem()))
		}
		v.Set(reflect.Append(v, added))
		return
	}
	i, j := r.IntN(n), r.IntN(n)
	copied := reflect.MakeSlice(v.Type(), n, n+1)
	reflect.Copy(copied, v)
	v.Set(copied)
	switch r.IntN(8) {
	case 0: // leave one out
		v.Set(reflect.AppendSlice(v.Slice(0, i), v.Slice(i+1, n)))
	case 1: // exchange two
		reflect.Swapper(v.Interface())(i, j)
	case 2: // once more
		v.Set(reflect.Append(v, v.Index(i)))
	case 3: // as another
		v.Index(i).Set(v.Index(j))
	default:
		p.change(r, v.Index(i))
	}
}

// bytes returns other bytes: some of the pool, or the old ones damaged.
func (p *Pool) bytes(r *rand.Rand, old []byte) []byte {
	if len(old) == 0 || r.IntN(2) == 0 {
		return slices.Clone(p.Bytes[r.IntN(len(p.Bytes))])
	}
	changed := slices.Clone(old)
	switch at := r.IntN(len(old)); r.IntN(4) {
	case 0:
		return changed[:at]
	case 1:
		return append(changed, 0)
	default:
		changed[at] ^= 1 << r.IntN(8)
	}
	return changed
}
