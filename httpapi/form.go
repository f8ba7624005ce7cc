package httpapi

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
)

// jobForm is a job as the API shows it: what package godwit leaves out of its JSON form is here.
type jobForm struct {
	godwit.Job
	Args          json.RawMessage `json:"args,omitempty"`
	Result        json.RawMessage `json:"result,omitempty"`
	Error         *failureForm    `json:"error,omitempty"`
	Timeout       string          `json:"timeout,omitempty"`
	KeepSucceeded string          `json:"keep_succeeded"`
	KeepFailed    string          `json:"keep_failed"`
	Attempts      *[]attemptForm  `json:"attempts,omitempty"` // when one job is read
}

type failureForm struct {
	Code    godwit.Code `json:"code"`
	Message string      `json:"message"`
	Stack   string      `json:"stack,omitempty"`
}

type attemptForm struct {
	godwit.Attempt
	Error *failureForm `json:"error,omitempty"`
}

type itemForm struct {
	Seq  int64           `json:"seq"`
	Run  int64           `json:"run"`
	Data json.RawMessage `json:"data"`
}

func formOf(j *godwit.Job) jobForm {
	f := jobForm{
		Job: *j, Args: payloadForm(j.Args), Result: payloadForm(j.Result), Error: failureOf(j.Failure),
		KeepSucceeded: j.KeepSucceeded.String(), KeepFailed: j.KeepFailed.String(),
	}
	if j.Timeout > 0 {
		f.Timeout = j.Timeout.String()
	}
	return f
}

func failureOf(f *godwit.Failure) *failureForm {
	if f == nil {
		return nil
	}
	return &failureForm{f.Code, f.Message, f.Stack}
}

func attemptsOf(attempts []godwit.Attempt) []attemptForm {
	forms := make([]attemptForm, 0, len(attempts))
	for _, a := range attempts {
		forms = append(forms, attemptForm{a, failureOf(a.Failure)})
	}
	return forms
}

// payloadForm embeds a payload. One that is not JSON is shown as the string of its bytes.
func payloadForm(p godwit.Payload) json.RawMessage {
	if p.Encoding == "" && len(p.Data) == 0 {
		return nil
	}
	if p.Encoding == godwit.EncodingJSON && json.Valid(p.Data) {
		return p.Data
	}
	text, err := json.Marshal(p.Data)
	if err != nil {
		return nil
	}
	return text
}

// duration is a Go duration in JSON, as a string.
type duration time.Duration

// UnmarshalText reads "1m30s".
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	if err != nil {
		return invalid("body", "must hold durations such as 1m30s, got %s", quoteShort(string(text)))
	}
	return nil
}

// fieldsOf lists the JSON names of a struct.
func fieldsOf(in any) []string {
	t := reflect.TypeOf(in)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
