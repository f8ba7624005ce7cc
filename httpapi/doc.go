// Package httpapi serves the jobs of a [godwit.Client] over HTTP, as JSON under /v1. Package httpclient is its client in Go, curl
// is another.
//
//	c, err := godwit.New(store, godwit.Config{})
//	...
//	server := &http.Server{
//		Handler:           httpapi.New(c, httpapi.Config{}),
//		ReadHeaderTimeout: 10 * time.Second,
//		ReadTimeout:       time.Minute,
//	}
//
// docs/http.md describes every call with an example.
//
// # Submitting and waiting
//
// POST /v1/tasks/{task} takes the task's argument as its body and answers 202 with the job; with Prefer: wait=N (RFC 7240) it
// waits up to N seconds and answers 200 if the job was final by then. GET /v1/jobs/{id} waits in the same way for the end or,
// with If-None-Match, for a change. Waiting is cut to [Config].WaitMax, and to WaitersMax requests at a time: those beyond are answered
// at once.
//
// # Problems
//
// An error is a problem of RFC 9457 with the stable code of docs/errors.md, which names the field at fault; [StatusOf] maps codes
// to statuses. What is not the caller's business is logged, not shown.
//
// # What is bounded
//
// Bodies, each and all together, pages, batches, waits, those who wait, and how long an answer may take to be read. Reading requests is
// the server's: give it ReadHeaderTimeout, ReadTimeout and IdleTimeout against slow clients. A WriteTimeout must be longer than WaitMax.
// A call that has been read is carried out, whether or not its sender is still there. When the server is shut down
// ([net/http.Server.Shutdown]) those who wait are answered with the job as it stands.
//
// # Who may call
//
// Whoever reaches the handler: bind it to the loopback interface or put a proxy with authentication before it. Browsers are kept from
// calling on behalf of other sites ([net/http.CrossOriginProtection]), over the loopback interface also by a name that is made to point
// there: see [Config].Hosts.
package httpapi
