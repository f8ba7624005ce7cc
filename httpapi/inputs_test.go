package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
)

// What a route takes as its body.
const (
	takesNothing  = "nothing"
	takesObject   = "an object"
	takesArgument = "an argument"
	takesLines    = "lines"
)

// bodies says of each route what its body is: a route without a row fails the test.
var bodies = map[string]string{
	"POST /v1/tasks/{task}":          takesArgument,
	"POST /v1/jobs":                  takesLines,
	"GET /v1/jobs/{id}":              takesNothing,
	"GET /v1/jobs/{id}/result":       takesNothing,
	"GET /v1/jobs":                   takesNothing,
	"GET /v1/jobs/{id}/children":     takesNothing,
	"GET /v1/jobs/{id}/attempts":     takesNothing,
	"GET /v1/jobs/{id}/logs":         takesNothing,
	"GET /v1/jobs/{id}/items":        takesNothing,
	"GET /v1/jobs/{id}/explain":      takesNothing,
	"POST /v1/jobs/{id}/cancel":      takesObject,
	"POST /v1/jobs/{id}/retry":       takesObject,
	"POST /v1/jobs/{id}/run-now":     takesNothing,
	"POST /v1/jobs/{id}/reschedule":  takesObject,
	"DELETE /v1/jobs/{id}":           takesNothing,
	"POST /v1/jobs:cancel":           takesObject,
	"POST /v1/jobs:retry":            takesObject,
	"POST /v1/jobs:delete":           takesObject,
	"GET /v1/queues":                 takesNothing,
	"POST /v1/queues/{queue}/pause":  takesNothing,
	"POST /v1/queues/{queue}/resume": takesNothing,
	"GET /v1/tasks":                  takesNothing,
	"POST /v1/tasks/{task}/pause":    takesNothing,
	"POST /v1/tasks/{task}/resume":   takesNothing,
	"GET /v1/workers":                takesNothing,
	"GET /healthz":                   takesNothing,
	"GET /readyz":                    takesNothing,
}

// badParams gives for each query parameter a value that it cannot have; none when every text can be.
var badParams = map[string]string{
	"limit": "0", "cursor": "*", "parent": "me", "state": "done", "all": "perhaps", "dry_run": "2", "reason": "",
	"queue": "", "task": "", "tag": "", "caller": "", "unique_key": "",
	"id": "1", "version": "-1", "priority": "1001", "delay": "-1s", "run_at": "tomorrow", "max_attempts": "-1", "timeout": "long", "deadline": "1",
	"idempotency_for": "1h", "unique_by_args": "si", "unique_scope": "world", "unique_while": "ever", "unique_on_clash": "fight",
}

// input is something wrong that is sent, and what it must be answered.
type input struct {
	name    string
	method  string // defaults to the route's
	target  string
	body    string
	headers []string
	host    string

	status int
	code   godwit.Code
	field  string
	detail string // in part
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// inputsOf makes everything that can be wrong with a call of a route.
func inputsOf(pattern string, params []string, expired godwit.ID) []input {
	method, path, _ := strings.Cut(pattern, " ")
	id := godwit.NewID().String()
	fill := func(value string) string { return placeholder.ReplaceAllString(path, value) }
	good := strings.NewReplacer("{id}", id, "{task}", "echo", "{queue}", "default").Replace(path)
	found := []input{
		{name: "unknown parameter", target: good + "?nonsense=1", status: 422, code: "invalid", field: "nonsense"},
		{name: "malformed query", target: good + "?a=%zz", status: 400, code: "malformed", field: "query"},
		{name: "semicolons", target: good + "?a=1;b=2", status: 400, code: "malformed", field: "query"},
		{name: "compressed", target: good, headers: []string{"Content-Encoding: gzip"}, status: 415, code: "unsupported_encoding", field: "Content-Encoding"},
		{name: "condition", target: good, headers: []string{`If-Match: "x"`}, status: 422, code: "invalid", field: "If-Match"},
		{name: "rebound host", target: good, host: "evil.example", status: 403, code: "forbidden_host", field: "Host"},
		{name: "double slash", target: strings.Replace(good, "/", "//", 1), status: 404, code: "no_route"},
		{name: "dots", target: "/v1/.." + good, status: 404, code: "no_route"},
		{name: "slash at the end", target: good + "/", status: 404, code: "no_route"},
		{name: "unknown method", method: "BREW", target: good, status: 405, code: "method_not_allowed"},
		{name: "preflight", method: "OPTIONS", target: good, headers: []string{"Origin: https://evil.example"}, status: 405, code: "method_not_allowed"},
	}
	if method != http.MethodGet {
		found = append(found, input{name: "another site", target: good, headers: []string{"Sec-Fetch-Site: cross-site"}, status: 403, code: "forbidden_origin"})
	}
	with := "" // without which the call would be refused for something else
	switch {
	case bodies[pattern] == takesArgument:
		with = "unique_key=k&"
	case strings.Contains(pattern, ":"):
		with = "task=echo&"
	}
	for _, p := range params {
		if p != "tag" || method != http.MethodPost || strings.Contains(pattern, ":") {
			found = append(found, input{name: p + " twice", target: good + "?" + p + "=1&" + p + "=1", status: 422, code: "invalid", field: p})
		}
		if !slices.Contains([]string{"all", "dry_run", "unique_by_args"}, p) {
			found = append(found, input{name: "empty " + p, target: good + "?" + with + p + "=", body: objectFor(pattern), status: 422, code: "invalid", field: p})
		}
		if slices.Contains([]string{"version", "max_attempts", "timeout", "deadline", "idempotency_for"}, p) {
			found = append(found, input{name: "zero " + p, target: good + "?" + with + p + "=0", body: objectFor(pattern), status: 422, code: "invalid", field: p})
		}
		if bad := badParams[p]; bad != "" {
			found = append(found, input{name: "bad " + p, target: good + "?" + with + p + "=" + bad, body: objectFor(pattern), status: 422, code: "invalid", field: p})
		}
	}
	if slices.Contains(params, "parent") { // it selects
		found = append(found, badFilters(good)...)
	}
	switch m := placeholder.FindStringSubmatch(path); {
	case m == nil:
	case m[1] == "id":
		found = append(found,
			input{name: "no id", target: fill("nonsense"), status: 422, code: "invalid", field: "id"},
			input{name: "unknown id", target: fill(id), body: objectFor(pattern), status: 404, code: "not_found"},
			input{name: "expired id", target: fill(expired.String()), body: objectFor(pattern), status: 410, code: "expired"})
	default:
		found = append(found,
			input{name: "slash in a name", target: fill("a%2Fb"), body: objectFor(pattern), status: 422, code: "invalid", field: m[1]},
			input{name: "no UTF-8 in a name", target: fill("%ff"), body: objectFor(pattern), status: 422, code: "invalid", field: m[1]},
			input{name: "huge name", target: fill(strings.Repeat("n", 300)), body: objectFor(pattern), status: 413, code: "too_large", field: m[1]},
			input{name: "empty name", target: fill(""), body: objectFor(pattern), status: 404, code: "no_route"})
	}
	for _, in := range badBodies(bodies[pattern]) {
		in.target = good
		found = append(found, in)
	}
	return found
}

// badFilters are filters that no job can be selected by.
func badFilters(target string) []input {
	long := strings.Repeat("x", 20_000)
	found := []input{
		{name: "tag with a zero byte", target: target + "?tag=%00", status: 422, code: "invalid", field: "tag"},
		{name: "tag that is no UTF-8", target: target + "?tag=%ff", status: 422, code: "invalid", field: "tag"},
		{name: "huge tag", target: target + "?tag=" + long, status: 413, code: "too_large", field: "tag"},
	}
	for _, name := range []string{"queue", "task"} {
		found = append(found,
			input{name: "space in a " + name, target: target + "?" + name + "=a%20b", status: 422, code: "invalid", field: name},
			input{name: "zero byte in a " + name, target: target + "?" + name + "=%00", status: 422, code: "invalid", field: name},
			input{name: "huge " + name, target: target + "?" + name + "=" + long, status: 413, code: "too_large", field: name})
	}
	return found
}

// objectFor is a body that a route takes.
func objectFor(pattern string) string {
	switch {
	case strings.HasSuffix(pattern, "/reschedule"):
		return `{"delay":"1h"}`
	case bodies[pattern] == takesArgument:
		return "1"
	}
	return ""
}

// badBodies are bodies that cannot be taken.
func badBodies(kind string) []input {
	huge := strings.Repeat("x", 2*godwit.PayloadMax)
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	switch kind {
	case takesNothing:
		return []input{
			{name: "body", body: "x", status: 422, code: "invalid", field: "body"},
			{name: "filter in the body", body: `{"task":"echo"}`, status: 422, code: "invalid", field: "body"},
			{name: "huge body", body: huge, status: 413, code: "too_large", field: "body"},
		}
	case takesObject:
		return []input{
			{name: "half", body: "{", status: 400, code: "malformed", field: "body"},
			{name: "list", body: "[]", status: 422, code: "invalid", field: "body"},
			{name: "null", body: "null", status: 422, code: "invalid", field: "body"},
			{name: "unknown field", body: `{"nonsense":1}`, status: 422, code: "invalid", field: "nonsense"},
			{name: "garbage after it", body: `{} x`, status: 400, code: "malformed", field: "body"},
			{name: "two of them", body: `{}{}`, status: 400, code: "malformed", field: "body"},
			{name: "byte order mark", body: "\ufeff{}", status: 400, code: "malformed", field: "body"},
			{name: "no UTF-8", body: "{\"reason\":\"\xff\"}", status: 400, code: "malformed", field: "body"},
			{name: "huge body", body: `{"reason":"` + huge + `"}`, status: 413, code: "too_large", field: "body"},
		}
	case takesArgument:
		return []input{
			{name: "no argument", status: 400, code: "malformed", field: "body"},
			{name: "half", body: "[1", status: 400, code: "malformed", field: "body"},
			{name: "garbage after it", body: "1 x", status: 400, code: "malformed", field: "body"},
			{name: "byte order mark", body: "\ufeff1", status: 400, code: "malformed", field: "body"},
			{name: "no UTF-8", body: "\"\xff\"", status: 400, code: "malformed", field: "body"},
			{name: "deep", body: deep, status: 422, code: "invalid", field: "args"},
			{name: "huge", body: `"` + huge + `"`, status: 413, code: "too_large", field: "body"},
			{name: "two keys", body: "1", headers: []string{"Idempotency-Key: a", "Idempotency-Key: b"}, status: 400, code: "malformed", field: "Idempotency-Key"},
			{name: "empty key", body: "1", headers: []string{`Idempotency-Key: ""`}, status: 400, code: "malformed", field: "Idempotency-Key"},
			{name: "huge key", body: "1", headers: []string{"Idempotency-Key: " + strings.Repeat("k", 3000)}, status: 413, code: "too_large", field: "Idempotency-Key"},
			{name: "key that is no UTF-8", body: "1", headers: []string{"Idempotency-Key: \xff"}, status: 422, code: "invalid", field: "Idempotency-Key"},
		}
	}
	const good = `{"task":"echo","args":1}` + "\n"
	line := func(s string) string { return good + s }
	return []input{
		{name: "nothing", status: 422, code: "invalid", field: "jobs"},
		{name: "empty lines", body: "\n\r\n \n", status: 422, code: "invalid", field: "jobs"},
		{name: "list", body: `[{"task":"echo","args":1}]`, status: 422, code: "invalid", field: "body"},
		{name: "half", body: line(`{"task":`), status: 400, code: "malformed", field: "body"},
		{name: "null", body: line("null"), status: 422, code: "invalid", field: "body"},
		{name: "garbage after it", body: line(`{"task":"echo","args":1} x`), status: 400, code: "malformed", field: "body"},
		{name: "byte order mark", body: "\ufeff" + good, status: 400, code: "malformed", field: "body"},
		{name: "no UTF-8", body: line("{\"task\":\"echo\",\"args\":\"\xff\"}"), status: 400, code: "malformed", field: "body"},
		{name: "no args", body: line(`{"task":"echo"}`), status: 422, code: "invalid", field: "args"},
		{name: "no task", body: line(`{"args":1}`), status: 422, code: "invalid", field: "task"},
		{name: "unknown task", body: line(`{"task":"ecko","args":1}`), status: 404, code: "unknown_task", field: "task"},
		{name: "task of another type", body: line(`{"task":1,"args":1}`), status: 422, code: "invalid", field: "task"},
		{name: "key twice", body: line(`{"task":"echo","args":1,"task":"echo"}`), status: 422, code: "invalid", field: "task"},
		{name: "key twice, escaped", body: line(`{"task":"echo","args":1,"t\u0061sk":"echo"}`), status: 422, code: "invalid", field: "task"},
		{name: "key in capitals", body: line(`{"Task":"echo","args":1}`), status: 422, code: "invalid", field: "Task"},
		{name: "header twice", body: line(`{"task":"echo","args":1,"headers":{"a":"1","a":"2"}}`), status: 422, code: "invalid", field: "headers.a"},
		{name: "header that is a number", body: line(`{"task":"echo","args":1,"headers":{"a":1}}`), status: 422, code: "invalid", field: "headers"},
		{name: "a hundred thousand headers", body: line(`{"task":"echo","args":1,"headers":{` + manyHeaders() + `}}`), status: 413, code: "too_large", field: "headers"},
		{name: "unknown field", body: line(`{"task":"echo","args":1,"nonsense":1}`), status: 422, code: "invalid", field: "nonsense"},
		{name: "unknown field of the policy", body: line(`{"task":"echo","args":1,"policy":{"nonsense":1}}`), status: 422, code: "invalid", field: "policy.nonsense"},
		{name: "timeout of the policy", body: line(`{"task":"echo","args":1,"policy":{"timeout":"long"}}`), status: 422, code: "invalid", field: "policy.timeout"},
		{name: "delay that is a number", body: line(`{"task":"echo","args":1,"delay":5}`), status: 422, code: "invalid", field: "delay"},
		{name: "time that is none", body: line(`{"task":"echo","args":1,"run_at":"now"}`), status: 422, code: "invalid", field: "run_at"},
		{name: "id of a time to come", body: line(`{"task":"echo","args":1,"id":"ffffffff-ffff-7fff-bfff-ffffffffffff"}`), status: 422, code: "invalid", field: "id"},
		{name: "delay that is too long to be read", body: line(`{"task":"echo","args":1,"delay":"9999999h"}`), status: 422, code: "invalid", field: "delay", detail: "at most 87600h"},
		{name: "id that is none", body: line(`{"task":"echo","args":1,"id":""}`), status: 422, code: "invalid", field: "id"},
		{name: "number that is too great", body: line(`{"task":"echo","args":1,"priority":99999999999999999999}`), status: 422, code: "invalid", field: "priority"},
		{name: "deep", body: line(`{"task":"echo","args":` + deep + `}`), status: 422, code: "invalid", field: "args"},
		{name: "too deep to be read", body: line(strings.Repeat("[", 20_000)), status: 400, code: "malformed", field: "body"},
		{name: "huge line", body: line(`{"task":"echo","args":"` + huge + `"}`), status: 413, code: "too_large", field: "body"},
		{name: "huge argument", body: line(`{"task":"echo","args":"` + huge[:godwit.PayloadMax+1] + `"}`), status: 413, code: "too_large", field: "args"},
		{name: "too many", body: strings.Repeat(good, godwit.BatchMax+1), status: 413, code: "too_large", field: "jobs"},
	}
}

func manyHeaders() string {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, `,"%06d":""`, i)
	}
	return b.String()[1:]
}

// Every route answers everything that can be wrong with a problem that names it, and nothing comes of it.
func TestEveryRouteRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{})
	expired := parse(t, text(t, b.want(t, http.StatusOK, http.MethodPost, "/v1/tasks/echo", "1", "Prefer: wait=30"), "id"))
	b.want(t, http.StatusNoContent, http.MethodDelete, "/v1/jobs/"+expired.String(), "")
	for pattern, params := range httpapi.Params(b.Handler) {
		if bodies[pattern] == "" {
			t.Errorf("%s has no row in the table of bodies", pattern)
		}
		for _, p := range params {
			if _, found := badParams[p]; !found {
				t.Errorf("%s: %s has no row in the table of parameters", pattern, p)
			}
		}
		for _, in := range inputsOf(pattern, params, expired) {
			t.Run(pattern+" "+in.name, func(t *testing.T) { b.refuses(t, pattern, in) })
		}
	}
	if page, err := b.client.List(t.Context(), godwit.ListFilter{}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("%d jobs were made of what was refused, %v", len(page.Jobs), err)
	}
	if queues := fmt.Sprint(b.want(t, http.StatusOK, http.MethodGet, "/v1/queues", "")["queues"]); strings.Contains(queues, "paused:true") {
		t.Errorf("a queue was paused: %s", queues)
	}
	if n := httpapi.BodyBytes(b.Handler); n != 0 {
		t.Errorf("%d bytes of bodies still count", n)
	}
}

func (b bundle) refuses(t *testing.T, pattern string, in input) {
	t.Helper()
	method, _, _ := strings.Cut(pattern, " ")
	if in.method != "" {
		method = in.method
	}
	ctx, host := overLoopback(t.Context()), "localhost:8080"
	if in.host != "" {
		host = in.host
	}
	r := httptest.NewRequestWithContext(ctx, method, "http://"+host+in.target, strings.NewReader(in.body))
	for _, h := range in.headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	var p struct {
		Status int
		Title  string
		Detail string
		Code   godwit.Code
		Field  string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("answered %d %s, which is no problem (%v)", w.Code, w.Body, err)
	}
	if w.Code != in.status || p.Status != in.status || p.Code != in.code || p.Field != in.field || p.Title == "" || p.Detail == "" {
		t.Errorf("answered %d %s\nwant %d %s %s", w.Code, w.Body, in.status, in.code, in.field)
	}
	if !strings.Contains(p.Detail, in.detail) {
		t.Errorf("%q does not say %q", p.Detail, in.detail)
	}
	if in.field != "" && !strings.Contains(p.Detail, in.field) {
		t.Errorf("%q does not name %s", p.Detail, in.field)
	}
	if w.Code == http.StatusMethodNotAllowed && (len(w.Header()["Allow"]) != 1 || !strings.Contains(w.Header().Get("Allow"), strings.Fields(pattern)[0])) {
		t.Errorf("allows %v", w.Header()["Allow"])
	}
}

// HEAD answers as GET does.
func TestHeadIsGet(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{})
	for pattern := range httpapi.Params(b.Handler) {
		if path, found := strings.CutPrefix(pattern, "GET "); found && !strings.Contains(path, "{") {
			if w := b.send(t.Context(), http.MethodHead, path, ""); w.Code != http.StatusOK {
				t.Errorf("HEAD %s answered %d", path, w.Code)
			}
		}
	}
}

// Arguments go through as they are: numbers that no int64 holds, escapes, odd texts, and depth.
func TestArgumentsGoThroughUnchanged(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{})
	for _, args := range []string{
		`12345678901234567890123.4567890e-100`, `{"a":1,"a":2}`, `"\ud800<&>\u2028"`, `{"":null}`, `[1.0,1e5,-0]`, ` { "b" : [ ] }` + "\n",
		strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
	} {
		id := text(t, b.want(t, http.StatusOK, http.MethodPost, "/v1/tasks/echo", args, "Prefer: wait=30", "Content-Type: text/plain"), "id")
		job, err := b.client.Get(t.Context(), parse(t, id))
		if err != nil || string(job.Args.Data) != args {
			t.Errorf("%s arrived as %s, %v", args, job.Args.Data, err)
		}
		b.want(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+id, "")
	}
	lines := "\n{\"task\":\"echo\",\"args\":1}\r\n \r\n\n{\"task\":\"echo\",\"args\":2}"
	if jobs, ok := b.want(t, http.StatusAccepted, http.MethodPost, "/v1/jobs", lines)["jobs"].([]any); !ok || len(jobs) != 2 {
		t.Errorf("of two lines %v was made", jobs)
	}
}

// Whatever is sent is answered with a success or a problem, never with a fault of the server.
func FuzzRequests(f *testing.F) {
	for _, seed := range []struct{ method, target, body string }{
		{"POST", "/v1/tasks/echo?priority=5&delay=1m", `{"a":1}`},
		{"POST", "/v1/jobs", `{"task":"echo","args":1,"policy":{"timeout":"1s"},"headers":{"a":"b"}}` + "\n{"},
		{"POST", "/v1/jobs:cancel?task=echo&dry_run", `{"ids":[]}`},
		{"GET", "/v1/jobs?state=ready&limit=3&cursor=0190a6f2-7b3c-7def-8123-456789abcdef", ""},
		{"POST", "/v1/jobs/0190a6f2-7b3c-7def-8123-456789abcdef/retry", `{"args":null,"run":3}`},
		{"DELETE", "/v1/jobs/%2e%2e", ""},
	} {
		f.Add(seed.method, seed.target, seed.body)
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequestWithContext(overLoopback(t.Context()), method, "http://localhost"+target, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		b := setup(t, httpapi.Config{})
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		if w.Code >= 500 || w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%q %q %q: answered %d %s", method, target, body, w.Code, w.Body)
		}
	})
}
