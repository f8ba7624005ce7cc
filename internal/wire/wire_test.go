package wire_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

var at = time.Date(2026, 7, 1, 12, 0, 0, 123456000, time.UTC)

// filled sets every field of a value, however deep, to something that is not zero, so that a field that a form forgets is seen.
func filled(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = at
		return
	case *godwit.ID:
		*x = godwit.NewID()
		return
	case *godwit.Payload:
		*x = godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`{"n":12345678901234567890.10,"t":"<&>\u2028"}`)}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				filled(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		filled(v.Index(0))
		filled(v.Index(1))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		filled(key)
		filled(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString(v.Type().Name() + " <ü>")
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(7)
	}
}

// there writes a form and reads it.
func there[F any](t *testing.T, form F) (back F) {
	t.Helper()
	text, err := wire.Encode(form)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&back); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return back
}

// comesBack checks that nothing of a value gets lost over the wire, filled or empty.
func comesBack[T any](t *testing.T, over func(T) T) {
	t.Helper()
	var empty, full T
	filled(reflect.ValueOf(&full).Elem())
	for _, v := range []T{empty, full} {
		if got := over(v); !reflect.DeepEqual(got, v) {
			t.Errorf("%T came back as\n%+v\nwas\n%+v", v, got, v)
		}
	}
}

func TestNothingGetsLost(t *testing.T) {
	t.Parallel()
	comesBack(t, func(j godwit.Job) godwit.Job {
		f := there(t, wire.JobOf(&j))
		return f.Plain()
	})
	comesBack(t, func(l godwit.ListAnswer) godwit.ListAnswer {
		f := there(t, wire.JobsOf(&l))
		return f.Plain()
	})
	comesBack(t, func(a []godwit.Attempt) []godwit.Attempt { return wire.PlainAttempts(there(t, wire.AttemptsOf(a))) })
	comesBack(t, func(items []godwit.Item) []godwit.Item { return wire.PlainItems(there(t, wire.ItemsOf(items))) })
	comesBack(t, func(e godwit.Explanation) godwit.Explanation {
		f := there(t, wire.ExplanationOf(&e))
		return f.Plain()
	})
	comesBack(t, func(tasks []godwit.TaskInfo) []godwit.TaskInfo {
		f := there(t, wire.TasksOf(tasks))
		for i := range f.Tasks {
			f.Tasks[i].Depth = absent(f.Tasks[i].Depth)
		}
		return f.Plain()
	})
	comesBack(t, func(queues []godwit.QueueInfo) []godwit.QueueInfo {
		f := there(t, wire.QueuesOf(queues, at.Add(time.Minute)))
		for i := range f.Queues {
			f.Queues[i].Depth = absent(f.Queues[i].Depth)
		}
		return f.Plain()
	})
	comesBack(t, func(sessions []godwit.SessionInfo) []godwit.SessionInfo {
		f := there(t, wire.WorkersOf(sessions))
		return f.Plain()
	})
	comesBack(t, func(answers []godwit.SubmitAnswer) []godwit.SubmitAnswer {
		for i := range answers {
			answers[i].Code, answers[i].Field = "", "" // only what was taken is answered in this form
		}
		f := there(t, wire.BatchOf(answers))
		return append([]godwit.SubmitAnswer(nil), f.Plain()...)
	})
	comesBack(t, func(o godwit.SubmitOptions) godwit.SubmitOptions {
		f := there(t, wire.SubmissionOf(&godwit.Submission{Args: godwit.Payload{Data: []byte("1")}, Options: o}))
		back := f.Options()
		back.Name = o.Name // of a child, which its parent's worker submits
		return back
	})
}

func absent(depth map[godwit.State]int) map[godwit.State]int {
	if len(depth) == 0 {
		return nil
	}
	return depth
}

func TestASubmissionKeepsItsPolicy(t *testing.T) {
	t.Parallel()
	policy := godwit.Policy{Version: 3, Queue: "mail", Priority: -4, MaxAttempts: 9, MaxCrashes: 2, Timeout: time.Minute, Deadline: time.Hour, KeepSucceeded: -1, KeepFailed: 2 * time.Hour}
	sub := godwit.NewTask[string, string]("greet", policy).Job("x", godwit.SubmitOptions{})
	want, _ := sub.Policy()
	form := there(t, wire.SubmissionOf(&sub))
	got, ok := godwit.Submission{}.WithPolicy(form.Policy.Plain()).Policy()
	want.Aliases, want.MinVersion, want.Backoff = got.Aliases, got.MinVersion, got.Backoff // what only who runs it goes by
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("the policy came back as %+v, was %+v", got, want)
	}
}

// What is no JSON, or is nested too deep to stand in a document, is shown as a string: a job can always be shown.
func TestEveryPayloadIsShown(t *testing.T) {
	t.Parallel()
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	for name, p := range map[string]godwit.Payload{
		"of another encoding": {Encoding: "zstd", Data: []byte{0xff, 1, 2}},
		"no JSON":             {Encoding: godwit.EncodingJSON, Data: []byte("{")},
		"deep":                {Encoding: godwit.EncodingJSON, Data: deep(10_000)},
		"not too deep":        {Encoding: godwit.EncodingJSON, Data: deep(9_900)},
	} {
		text, err := wire.Encode(wire.JobsOf(&godwit.ListAnswer{Jobs: []godwit.Job{{Args: p}}}))
		if err != nil || !json.Valid(text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"a":2}`, ` { "\u0061" : {"b":[1,"}\""]} , "c" : null } `, `{"":"\\"}`, `{"a":[{}],"b":-1e5}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := map[string]string{}
		for name, value := range func(yield func(string, []byte) bool) { wire.Members(data, yield) } {
			got[name] = string(value)
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(data, &want) != nil {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q has the members %q, want %q", data, got, want)
		}
		for name, value := range want {
			if got[name] != string(value) {
				t.Errorf("%q: member %q is %q, want %q", data, name, got[name], value)
			}
		}
		if depth := wire.DepthOf(data); depth < 1 && len(bytes.TrimSpace(data)) > 0 && bytes.TrimSpace(data)[0] == '{' {
			t.Errorf("%q has the depth %d", data, depth)
		}
	})
}

// What is read as a form and written is read as the same form.
func FuzzForms(f *testing.F) {
	f.Add([]byte(`{"id":"0190a6f2-7b3c-7def-8123-456789abcdef","task":"a","args":[1],"keep_failed":"1h0m0s","error":{"code":"x"},"attempts":[]}`))
	f.Add([]byte(`{"task":"a","args":null,"delay":"1m30s","priority":0,"policy":{"timeout":"1s"},"run_at":"2026-07-01T12:00:00Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		same[wire.Job](t, data)
		same[wire.Submission](t, data)
		same[wire.Problem](t, data)
		same[wire.Bulk](t, data)
	})
}

func same[F any](t *testing.T, data []byte) {
	t.Helper()
	var form F
	if json.Unmarshal(data, &form) != nil {
		return
	}
	first, err := wire.Encode(form)
	if err != nil { // a time out of the range of RFC 3339, say
		return
	}
	var again F
	if err := json.Unmarshal(first, &again); err != nil {
		t.Fatalf("%q was written as %q, which cannot be read: %v", data, first, err)
	}
	second, err := wire.Encode(again)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("%q was written as %q, then as %q (%v)", data, first, second, err)
	}
}
