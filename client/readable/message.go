package readable

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/cosmos/gogoproto/proto"
)

// Messages as JSON for people: fields under their names in proto/votenode/v1, bytes as lower-case hexadecimal digits, numbers as
// numbers, enumerations by name. Nothing is ever hashed or signed over it.

// ErrMessage says that JSON is not a message of the wanted kind.
var ErrMessage = errors.New("not a message in JSON")

// FormatMessage returns a message as indented JSON, every field shown.
func FormatMessage(m proto.Message) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, CompactMessage(m), "", "  "); err != nil {
		panic("readable: FormatMessage writes JSON: " + err.Error())
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// CompactMessage returns the same on one line, for programs.
func CompactMessage(m proto.Message) []byte {
	var out bytes.Buffer
	writeValue(&out, reflect.ValueOf(m))
	return out.Bytes()
}

func writeValue(w *bytes.Buffer, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		w.WriteString("null")
	case v.Kind() == reflect.Pointer:
		writeValue(w, v.Elem())
	case v.Kind() == reflect.Struct:
		w.WriteByte('{')
		writeFields(w, v)
		w.WriteByte('}')
	case isBytes(v.Type()):
		fmt.Fprintf(w, "%q", hex.EncodeToString(v.Bytes()))
	case v.Kind() == reflect.Slice:
		w.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				w.WriteByte(',')
			}
			writeValue(w, v.Index(i))
		}
		w.WriteByte(']')
	default:
		value := v.Interface()
		if enum, ok := value.(fmt.Stringer); ok {
			value = enum.String()
		}
		b, err := json.Marshal(value)
		if err != nil {
			panic("readable: a field of a message is no JSON: " + err.Error())
		}
		w.Write(b)
	}
}

// writeFields writes the fields of a struct; the one that is chosen of a oneof stands among them under its own name.
func writeFields(w *bytes.Buffer, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Field(i)
		if field.Kind() == reflect.Interface {
			if field.IsNil() {
				continue
			}
			field = field.Elem().Elem().Field(0)
			w.WriteByte(',')
			fmt.Fprintf(w, "%q:", jsonName(v.Field(i).Elem().Elem().Type().Field(0)))
			writeValue(w, field)
			continue
		}
		if i > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(w, "%q:", jsonName(v.Type().Field(i)))
		writeValue(w, field)
	}
}

// ParseMessage reads what FormatMessage wrote, or a person; fields may be left out, unknown ones are refused. It fails with
// ErrMessage.
func ParseMessage(b []byte, m proto.Message) error {
	decoder := json.NewDecoder(bytes.NewReader(b))
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("%w: something follows it", ErrMessage)
	}
	if err := readValue(raw, reflect.ValueOf(m).Elem()); err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return nil
}

func readValue(raw json.RawMessage, v reflect.Value) error {
	switch {
	case v.Kind() == reflect.Pointer && string(raw) == "null":
		return nil
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return readValue(raw, v.Elem())
	case v.Kind() == reflect.Struct:
		return readFields(raw, v)
	case isBytes(v.Type()):
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return wanted(reflect.String, raw)
		}
		b, err := hex.DecodeString(text)
		if err == nil && hex.EncodeToString(b) != text {
			err = fmt.Errorf("%q is not in lower-case hexadecimal digits", text)
		}
		v.SetBytes(b)
		return err
	case v.Kind() == reflect.Slice:
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return wanted(reflect.Slice, raw)
		}
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		for i, item := range items {
			if err := readValue(item, v.Index(i)); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	case v.Kind() == reflect.Int32 && raw[0] == '"':
		return readEnumeration(raw, v)
	}
	if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
		return wanted(v.Kind(), raw)
	}
	return nil
}

// wanted says what has to stand in the place of a value, without the words of the language.
func wanted(kind reflect.Kind, raw json.RawMessage) error {
	words := "a text in quotes"
	switch kind {
	case reflect.Bool:
		words = "true or false"
	case reflect.Uint32, reflect.Uint64:
		words = "a whole number from 0, without quotes"
	case reflect.Int32, reflect.Int64:
		words = "a whole number, without quotes"
	case reflect.Slice:
		words = "a list in brackets"
	case reflect.Struct:
		words = "fields in braces"
	}
	return fmt.Errorf("it is %.40s and has to be %s", raw, words)
}

// readEnumeration reads a value of an enumeration by its name; its number does as well.
func readEnumeration(raw json.RawMessage, v reflect.Value) error {
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return err
	}
	number, ok := proto.EnumValueMap("votenode.v1." + v.Type().Name())[name]
	if !ok {
		return fmt.Errorf("there is no %s %q", v.Type().Name(), name)
	}
	v.SetInt(int64(number))
	return nil
}

func readFields(raw json.RawMessage, v reflect.Value) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return wanted(reflect.Struct, raw)
	}
	fields := make(map[string]reflect.Value)
	for i := range v.NumField() {
		if v.Field(i).Kind() != reflect.Interface {
			fields[jsonName(v.Type().Field(i))] = v.Field(i)
		}
	}
	for name, value := range given {
		field, ok := fields[name]
		if !ok {
			var err error
			if field, err = choose(v, name); err != nil {
				return err
			}
		}
		if err := readValue(value, field); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// choose sets the oneof of a message to the field of that name and returns the field.
func choose(v reflect.Value, name string) (reflect.Value, error) {
	if m, ok := v.Addr().Interface().(interface{ XXX_OneofWrappers() []any }); ok {
		for _, wrapper := range m.XXX_OneofWrappers() {
			chosen := reflect.New(reflect.TypeOf(wrapper).Elem())
			if jsonName(chosen.Elem().Type().Field(0)) != name {
				continue
			}
			for i := range v.NumField() {
				if v.Field(i).Kind() != reflect.Interface {
					continue
				}
				if !v.Field(i).IsNil() {
					return reflect.Value{}, fmt.Errorf("%s: only one decision can be made", name)
				}
				v.Field(i).Set(chosen)
				return chosen.Elem().Field(0), nil
			}
		}
	}
	return reflect.Value{}, fmt.Errorf("there is no field %q", name)
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
