package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// description is openapi.json with what validates against its schemas.
type description struct {
	root       map[string]any
	operations map[string]operation // by operationId
	compiler   *jsonschema.Compiler
	compiled   map[string]*jsonschema.Schema // by pointer
}

// operation is one method of one path; at is the pointer to it.
type operation struct {
	id, method, path, at string
	fields               map[string]any
}

// probe says whether it is asked for by those who watch nodes, at any time and without limits.
func (o operation) probe() bool { return o.id == "health" || o.id == "ready" }

// whereabouts is the name under which the document is known to the compiler.
const whereabouts = "https://votenode.example/openapi.json"

// streamed is the content type of a stream of events.
const streamed = "text/event-stream"

// decoders read the texts whose content the document describes, by content type.
var decoders = map[string]func(b []byte) (any, error){
	"application/json": func(b []byte) (any, error) { return jsonschema.UnmarshalJSON(bytes.NewReader(b)) },
	streamed:           decodeStream,
}

// decodeStream reads the events of a stream as EventSource does: what an empty line ends, if it has data.
func decodeStream(b []byte) (any, error) {
	events := []any{}
	for l := (&listener{r: bufio.NewReader(bytes.NewReader(b))}); ; {
		h, err := l.block()
		if err != nil {
			return events, nil
		}
		event := map[string]any{"event": h.kind, "data": h.data}
		if h.id != "" {
			event["id"] = h.id
		}
		if h.data != "" {
			events = append(events, event)
		}
	}
}

// describe reads the document that is served.
func describe(t *testing.T) *description {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	d := &description{root: parsed.(map[string]any), operations: map[string]operation{}, compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	d.compiler.AssertContent()
	d.compiler.RegisterContentMediaType(&jsonschema.MediaType{Name: streamed, UnmarshalJSON: decoders[streamed]})
	if err := d.compiler.AddResource(whereabouts, parsed); err != nil {
		t.Fatal(err)
	}
	for path, methods := range d.object("/paths") {
		for method, fields := range methods.(map[string]any) {
			o := operation{method: strings.ToUpper(method), path: path, at: join("/paths", path, method), fields: fields.(map[string]any)}
			o.id, _ = o.fields["operationId"].(string)
			if _, twice := d.operations[o.id]; twice || o.id == "" {
				t.Errorf("%s %s: the operationId %q is empty or stands twice", o.method, path, o.id)
			}
			d.operations[o.id] = o
		}
	}
	return d
}

// join adds names to a JSON pointer.
func join(pointer string, names ...string) string {
	for _, name := range names {
		pointer += "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
	}
	return pointer
}

// value returns what a JSON pointer points to, nil where there is nothing.
func (d *description) value(pointer string) (v any) {
	v = d.root
	for _, name := range strings.Split(pointer, "/")[1:] {
		switch fields := v.(type) {
		case map[string]any:
			v = fields[strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")]
		case []any:
			v = fields[must(strconv.Atoi(name))]
		default:
			return nil
		}
	}
	return v
}

// object returns the object at a pointer, nil where there is none.
func (d *description) object(pointer string) map[string]any {
	fields, _ := d.value(pointer).(map[string]any)
	return fields
}

// follow returns the object at a pointer, and its pointer, behind references.
func (d *description) follow(pointer string) (map[string]any, string) {
	for {
		fields := d.object(pointer)
		ref, ok := fields["$ref"].(string)
		if !ok {
			return fields, pointer
		}
		pointer = strings.TrimPrefix(ref, "#")
	}
}

// parameter is a parameter of an operation with its schema behind references.
type parameter struct {
	name, in string
	required bool
	schema   map[string]any
	pointer  string // to the schema
}

func (d *description) parameters(o operation) (list []parameter) {
	all, _ := o.fields["parameters"].([]any)
	for _, each := range all {
		fields, pointer := each.(map[string]any), ""
		if ref, ok := fields["$ref"].(string); ok {
			fields, pointer = d.follow(strings.TrimPrefix(ref, "#"))
		}
		p := parameter{name: fields["name"].(string), in: fields["in"].(string)}
		p.required, _ = fields["required"].(bool)
		p.schema, _ = fields["schema"].(map[string]any)
		if ref, ok := p.schema["$ref"].(string); ok {
			p.schema, pointer = d.follow(strings.TrimPrefix(ref, "#"))
		}
		p.pointer = pointer
		list = append(list, p)
	}
	return list
}

// validate holds JSON against the schema at a pointer.
func (d *description) validate(pointer string, b []byte) error {
	schema := d.compiled[pointer]
	if schema == nil {
		var err error
		if schema, err = d.compiler.Compile(whereabouts + "#" + strings.ReplaceAll(strings.ReplaceAll(pointer, "{", "%7B"), "}", "%7D")); err != nil {
			return err
		}
		d.compiled[pointer] = schema
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// check holds an answer against what the document says of an operation, and returns under which content type it is described.
func (d *description) check(o operation, a answer) (content string, err error) {
	status := fmt.Sprint(a.status)
	response, pointer := d.follow(join(o.at, "responses", status))
	if response == nil {
		return "", fmt.Errorf("%s is not described", status)
	}
	headers, _ := response["headers"].(map[string]any)
	for name, h := range headers {
		if required, _ := h.(map[string]any)["required"].(bool); required && a.header.Get(name) == "" {
			return "", fmt.Errorf("%s without %s", status, name)
		}
	}
	if _, described := headers["Retry-After"]; !described && a.header.Get("Retry-After") != "" && !o.probe() {
		return "", fmt.Errorf("%s with Retry-After", status)
	}
	content = a.header.Get("Content-Type")
	at := join(pointer, "content", content)
	switch {
	case d.object(at) == nil:
		return "", fmt.Errorf("%s as %s is not described", status, content)
	case d.object(at)["schema"] == nil && content == "application/json":
		return "", fmt.Errorf("%s has no schema", status)
	case d.object(at)["schema"] == nil:
		return content, nil
	}
	return content, d.validate(join(at, "schema"), a.json())
}

// json returns the body as a schema describes it: what is no JSON is a text.
func (a answer) json() []byte {
	if a.header.Get("Content-Type") == "application/json" {
		return a.body
	}
	return must(json.Marshal(string(a.body)))
}

// cover calls fn with the pointers to the descriptions of all fields that a value has, in the alternative that it is and in the content of
// texts.
func (d *description) cover(pointer string, v any, fn func(pointer string)) {
	schema, pointer := d.follow(pointer)
	alternatives, _ := schema["oneOf"].([]any)
	for i := range alternatives {
		if at := join(pointer, "oneOf", fmt.Sprint(i)); d.validate(at, must(json.Marshal(v))) == nil {
			d.cover(at, v, fn)
		}
	}
	switch v := v.(type) {
	case string:
		if schema["contentSchema"] != nil {
			d.cover(join(pointer, "contentSchema"), must(decoders[schema["contentMediaType"].(string)]([]byte(v))), fn)
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, each := range v {
			if properties[name] != nil {
				at := join(pointer, "properties", name)
				fn(at)
				d.cover(at, each, fn)
			}
		}
	case []any:
		for _, each := range v {
			d.cover(join(pointer, "items"), each, fn)
		}
	}
}

// walk calls fn for all objects below a pointer.
func (d *description) walk(pointer string, v any, fn func(pointer string, fields map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		fn(pointer, v)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			d.walk(join(pointer, name), v[name], fn)
		}
	case []any:
		for i, each := range v {
			d.walk(join(pointer, fmt.Sprint(i)), each, fn)
		}
	}
}

// TestDescription: the document is one of OpenAPI 3.1 whose references lead somewhere, whose objects allow no other fields than they name,
// and in which nothing stands that is not used.
func TestDescription(t *testing.T) {
	d := describe(t)
	if version, _ := d.root["openapi"].(string); !strings.HasPrefix(version, "3.1.") || d.object("/info")["title"] == nil || d.object("/info")["version"] == nil {
		t.Errorf("openapi %q, info %v", version, d.object("/info"))
	}
	used := map[string]bool{}
	d.walk("", d.root, func(pointer string, fields map[string]any) {
		if ref, ok := fields["$ref"].(string); ok {
			used[strings.TrimPrefix(ref, "#")] = true
			if !strings.HasPrefix(ref, "#/components/") || d.object(strings.TrimPrefix(ref, "#")) == nil {
				t.Errorf("%s: %s leads nowhere", pointer, ref)
			}
		}
		if fields["type"] == "object" {
			// What openapi.json itself has is not written down in it a second time.
			if open, said := fields["additionalProperties"]; (!said || open == true) && !strings.HasPrefix(pointer, "/paths/~1v1~1openapi.json/") {
				t.Errorf("%s: fields without a name are allowed", pointer)
			}
			required, _ := fields["required"].([]any)
			properties, _ := fields["properties"].(map[string]any)
			for _, name := range required {
				if properties != nil && properties[name.(string)] == nil {
					t.Errorf("%s: %v is required and not described", pointer, name)
				}
			}
		}
	})
	for kind, all := range d.object("/components") {
		for name := range all.(map[string]any) {
			if !used[join("/components", kind, name)] {
				t.Errorf("%s %s is not used", kind, name)
			}
		}
	}
	for name := range d.object("/components/schemas") {
		if err := d.validate(join("/components/schemas", name), []byte(`null`)); err == nil || !strings.Contains(err.Error(), "jsonschema validation failed") {
			t.Errorf("the schema %s: %v", name, err)
		}
	}
	for _, o := range d.operations {
		d.checkOperation(t, o)
	}
}

// checkOperation: what stands in the path is a parameter and the other way round, tags are explained, and parameters have schemas.
func (d *description) checkOperation(t *testing.T, o operation) {
	names := map[string]bool{}
	for _, p := range d.parameters(o) {
		if names[p.name] || p.schema == nil || p.in == "path" && (!p.required || !strings.Contains(o.path, "{"+p.name+"}")) {
			t.Errorf("%s: parameter %+v", o.id, p)
		}
		names[p.name] = true
	}
	for _, part := range strings.Split(o.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok && !names[strings.TrimSuffix(name, "}")] {
			t.Errorf("%s: %s is no parameter", o.id, part)
		}
	}
	tags, _ := json.Marshal(d.root["tags"])
	for _, tag := range o.fields["tags"].([]any) {
		if !bytes.Contains(tags, fmt.Appendf(nil, `"name":%q`, tag)) {
			t.Errorf("%s: the tag %v is not explained", o.id, tag)
		}
	}
	if o.fields["summary"] == nil {
		t.Errorf("%s has no summary", o.id)
	}
}

// TestDescriptionBites: answers that the document does not describe are noticed.
func TestDescriptionBites(t *testing.T) {
	d := describe(t)
	health := d.operations["health"]
	json := map[string][]string{"Content-Type": {"application/json"}}
	for name, a := range map[string]answer{
		"a field too many": {200, json, []byte(`{"healthy": true, "reasons": [], "more": 1}`)},
		"a field missing":  {200, json, []byte(`{"healthy": true}`)},
		"another type":     {200, json, []byte(`{"healthy": 1, "reasons": []}`)},
		"another status":   {404, json, []byte(`{"error": "x"}`)},
		"another content":  {200, map[string][]string{"Content-Type": {"text/plain"}}, []byte(`x`)},
		"no JSON":          {200, json, []byte(`{`)},
	} {
		if _, err := d.check(health, a); err == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
	if _, err := d.check(health, answer{200, json, []byte(`{"healthy": true, "reasons": []}`)}); err != nil {
		t.Error(err)
	}
	if _, err := d.check(d.operations["status"], answer{503, json, []byte(`{"error": "x"}`)}); err == nil {
		t.Error("no Retry-After is not noticed")
	}
	for _, text := range []string{
		"id: 1.0\nevent: certified\ndata: {\"height\":3,\"index\":1}", "event: certified\ndata: {\"height\":3,\"index\":1,\"certified_height\":1}",
		"id: 1\nevent: certified\ndata: {\"height\":3,\"index\":1,\"certified_height\":1}", "id: 3.1\nevent: x\ndata: {\"height\":3,\"index\":1}", "id: 3.1\nevent: certified\ndata: {",
	} {
		if _, err := d.check(d.operations["events"], answer{200, map[string][]string{"Content-Type": {streamed}}, []byte(text + "\n\n")}); err == nil {
			t.Errorf("%q is taken for an event", text)
		}
	}
	for value, pointer := range map[string]string{`"AA"`: "Bytes", `"ABCD" `: "Hash", `"2026-01-01"`: "Time", `"x"`: "Count", `-1`: "Height"} {
		if err := d.validate(join("/components/schemas", pointer), []byte(value)); err == nil {
			t.Errorf("%s is taken for %s", value, pointer)
		}
	}
}
