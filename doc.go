// Package godwit does the work that an application must not wait for: durable jobs that survive crashes, kept in a database of
// yours.
//
// # Tasks, handlers, jobs
//
// A [Task] is a name, an input and an output type, and a [Policy]: made once, as a package variable, by [NewTask]. A handler is the Go
// function that does it, registered by [Handle]; a process that only submits has none. A job is one durable run of a task.
//
// A [Client] stands on a [Store], which package open, or a driver's own package, opens. [Client.Start] begins to work,
// [Client.Stop] ends in good order: what runs may finish, what does not is given back.
//
// # Submitting
//
// [Task.Submit] makes a job: it is on disk when it returns. [SubmitOptions] say when it runs (Delay, RunAt), before which others (Priority,
// Queue), how often it is tried (MaxAttempts), and how it is made only once (IdempotencyKey, [Unique], ID). [Task.SubmitMany] and
// [Client.SubmitAll] take many, all or none. [Client.SubmitRaw] goes by the task's name, with arguments in JSON. What is outside its
// bounds is refused with an [Error] that names the field, the bound and the mend.
//
// # Promises
//
// Submit answers with a [Promise]: the outcome, now or later. [Promise.Await] may be called any number of times; [PromiseOf] finds it
// again by the job's id, in any process; [AwaitAll] waits for thousands at once. A job that did not succeed is a [JobError], whose code
// errors.Is finds: [ErrCancelled], [ErrDeadlineExceeded] and others.
//
// # Handlers
//
// A handler gets a context that ends when its timeout or deadline passes, when its job is cancelled, when the worker stops or has lost its
// lease; context.Cause says which ([ErrTimeout], [ErrDeadlineExceeded], [ErrCancelled], [ErrStopping], [ErrLeaseLost]). A handler
// that ignores it keeps its slot and is counted in [Stats]. An error, or a panic, is retried after the task's [Backoff];
// [Permanent] says that trying again is no use, [RetryAfter] when to, [Snooze] that nothing failed but it is too early.
//
// While it runs a handler tells its [Info], sets its progress ([SetProgress]), logs to its job ([Logger]) and hands out rows
// ([Emit]). [Middleware] wraps all handlers of a client.
//
// # Jobs that start jobs
//
// Submitting inside a handler makes a child, keyed by its parent and a name: it is submitted once, however often the parent runs
// again. Await inside a handler gives the slot back while it blocks, so one slot is enough for any depth; [Sleep] waits for a time in the same
// way. If the process dies, the handler starts again from its first line and meets its children: what is not recorded runs again.
//
// A run that awaits in several goroutines gives its slot back with the first Await that blocks and takes one again when none does;
// in between, those that go on do so without. The failure of a child, returned by its parent's handler, is final: another attempt
// would meet it again. Retrying the parent by hand retries the child too.
//
// # Administration
//
// [Client.Cancel], [Client.Retry], [Client.RunNow], [Client.Reschedule] and [Client.Delete] act on a job; [Client.PauseQueue] and
// [Client.PauseTask] hold many. [Client.Get], [Client.List], [Client.Attempts], [Client.Logs] and [Client.Items] read.
// [Client.Explain] says why a job is not running now, and what to do about it. [Client.Subscribe] tells of changes as they
// happen.
//
// # Tests
//
// Package godwittest runs jobs without a database and with a clock that you move. The client also works in a bubble of testing/synctest.
package godwit
