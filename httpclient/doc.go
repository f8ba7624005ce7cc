// Package httpclient is the Go client of a server that package httpapi makes. It is a [godwit.Admin]: tasks submit through it and
// promises are awaited through it as through a [godwit.Client].
//
//	c, err := httpclient.New(httpclient.Config{URL: "http://127.0.0.1:8080"})
//	...
//	p, err := Resize.Submit(ctx, c, ResizeArgs{"cat.jpg"}, godwit.SubmitOptions{})
//	...
//	img, err := p.Await(ctx)
//
// # Cut connections
//
// Reads are repeated, with pauses, for [Config].RetryFor. A submission is repeated too, with the ids that this package makes before the first
// try, so that it happens once. So are cancels, pauses and resumes, of which two do what one does; a retry by hand, which names the run that
// it follows; and a delete, after which the job is gone. What makes a job run at another time, and retries and deletes of many jobs, are
// repeated only when the server surely did not do them; otherwise the error is [godwit.ErrOutcomeUnknown].
//
// # Errors
//
// A problem that the server answers with becomes the [godwit.Error] it was made of: errors.Is(err, godwit.ErrNotFound) works
// as it does with the local client. A server that cannot be reached is [godwit.ErrUnavailable].
//
// # What differs
//
// A handler that awaits through this client keeps its slot meanwhile, and what it submits are no children: use the client that
// runs it. The policy of a task goes with its submissions, except the back-off, which belongs to the worker.
package httpclient
