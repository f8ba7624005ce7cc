package wire

import (
	"encoding/json"
	"time"

	"github.com/godwit-go/godwit"
)

// Job is a job as the API shows it: what package godwit leaves out of its JSON form for logs is here.
type Job struct {
	godwit.Job
	Args          json.RawMessage `json:"args,omitempty"`
	Result        json.RawMessage `json:"result,omitempty"`
	Error         *Failure        `json:"error,omitempty"`
	Timeout       Duration        `json:"timeout,omitzero"`
	KeepSucceeded Duration        `json:"keep_succeeded"`
	KeepFailed    Duration        `json:"keep_failed"`
	Attempts      *[]Attempt      `json:"attempts,omitempty"` // when one job is read
}

// JobOf gives the form of a job. It keeps the job's bytes and does not change them.
func JobOf(j *godwit.Job) Job {
	return Job{
		Job: *j, Args: PayloadOf(j.Args), Result: PayloadOf(j.Result), Error: FailureOf(j.Failure),
		Timeout: Duration(j.Timeout), KeepSucceeded: Duration(j.KeepSucceeded), KeepFailed: Duration(j.KeepFailed),
	}
}

// With gives the form with the job's attempts.
func (f Job) With(attempts []godwit.Attempt) Job {
	forms := AttemptsOf(attempts)
	f.Attempts = &forms
	return f
}

// Plain gives the job as package godwit has it.
func (f *Job) Plain() godwit.Job {
	j := f.Job
	j.Args, j.Result, j.Failure = PlainPayload(f.Args), PlainPayload(f.Result), f.Error.Plain()
	j.Timeout, j.KeepSucceeded, j.KeepFailed = time.Duration(f.Timeout), time.Duration(f.KeepSucceeded), time.Duration(f.KeepFailed)
	return j
}

// Jobs is a page of jobs.
type Jobs struct {
	Jobs []Job     `json:"jobs"`
	Next godwit.ID `json:"next,omitzero"` // the cursor of the next page
}

// JobsOf gives the form of a page.
func JobsOf(page *godwit.ListAnswer) Jobs {
	f := Jobs{Jobs: make([]Job, 0, len(page.Jobs)), Next: page.Next}
	for i := range page.Jobs {
		f.Jobs = append(f.Jobs, JobOf(&page.Jobs[i]))
	}
	return f
}

// Plain gives the page as package godwit has it.
func (f *Jobs) Plain() godwit.ListAnswer {
	page := godwit.ListAnswer{Next: f.Next}
	for i := range f.Jobs {
		page.Jobs = append(page.Jobs, f.Jobs[i].Plain())
	}
	return page
}

// Failure is why a run or a job did not succeed.
type Failure struct {
	Code    godwit.Code `json:"code"`
	Message string      `json:"message"`
	Stack   string      `json:"stack,omitempty"`
}

// FailureOf gives the form of a failure, nil of none.
func FailureOf(f *godwit.Failure) *Failure {
	if f == nil {
		return nil
	}
	form := Failure(*f)
	return &form
}

// Plain gives the failure as package godwit has it, nil of none.
func (f *Failure) Plain() *godwit.Failure {
	if f == nil {
		return nil
	}
	plain := godwit.Failure(*f)
	return &plain
}

// Attempt is the record of a run that did not succeed.
type Attempt struct {
	godwit.Attempt
	Error *Failure `json:"error,omitempty"`
}

// Attempts are the records of a job.
type Attempts struct {
	Attempts []Attempt `json:"attempts"`
}

// AttemptsOf gives the forms of attempts, never nil.
func AttemptsOf(attempts []godwit.Attempt) []Attempt {
	forms := make([]Attempt, 0, len(attempts))
	for _, a := range attempts {
		forms = append(forms, Attempt{a, FailureOf(a.Failure)})
	}
	return forms
}

// PlainAttempts gives attempts as package godwit has them.
func PlainAttempts(forms []Attempt) []godwit.Attempt {
	var attempts []godwit.Attempt
	for _, f := range forms {
		f.Failure = f.Error.Plain()
		attempts = append(attempts, f.Attempt)
	}
	return attempts
}

// PayloadOf embeds a payload. One that cannot stand in a document of JSON, as it is none or is nested too deep, is shown as the
// base64 string of its bytes.
func PayloadOf(p godwit.Payload) json.RawMessage {
	if p.Encoding == "" && len(p.Data) == 0 {
		return nil
	}
	if p.Encoding == godwit.EncodingJSON && DepthOf(p.Data) <= depthShown && json.Valid(p.Data) {
		return p.Data
	}
	text, err := json.Marshal(p.Data)
	if err != nil {
		return nil
	}
	return text
}

// PlainPayload gives a payload as package godwit has it.
func PlainPayload(data json.RawMessage) godwit.Payload {
	if data == nil {
		return godwit.Payload{}
	}
	return godwit.Payload{Encoding: godwit.EncodingJSON, Data: data}
}

// depthShown is how deep a payload may be nested that is embedded: encoding/json reads documents of 10,000 levels, the form's own
// included.
const depthShown = 9_900
