package godwit

import (
	"context"
	"fmt"
)

// Promise is the outcome of a job, now or later. It may be awaited any number of times, by many goroutines and in many
// processes. Package async takes it wherever it takes a future.
type Promise[R any] struct {
	c      Submitter
	answer SubmitAnswer
}

// PromiseOf gives the promise of a job by its id, whoever submitted it. R must be the task's result type.
func PromiseOf[R any](c Submitter, id ID) *Promise[R] {
	return &Promise[R]{c: c, answer: SubmitAnswer{ID: id}}
}

// PromiseOfAnswer gives the promise of a job as its submission was answered: for makers of a [Submitter].
func PromiseOfAnswer[R any](c Submitter, a SubmitAnswer) *Promise[R] {
	return &Promise[R]{c: c, answer: a}
}

// ID gives the id of the job.
func (p *Promise[R]) ID() ID { return p.answer.ID }

// Created reports whether the submission that gave the promise made the job; false when it met one that was there.
func (p *Promise[R]) Created() bool { return p.answer.Created }

// Await waits for the end of the job and gives its result. A job that did not succeed is a [JobError]; one that was pruned
// [ErrExpired], one never seen [ErrNotFound]. When ctx ends first the error matches ctx.Err(), and the job goes on. Inside
// a handler of the same client the run gives its slot back while it waits.
func (p *Promise[R]) Await(ctx context.Context) (R, error) {
	var none R
	outcomes, err := p.c.AwaitOutcomes(ctx, []ID{p.answer.ID})
	if err != nil {
		return none, fmt.Errorf("await job %s: %w", p.answer.ID, err)
	}
	return resultOf[R](p.answer.ID, outcomes[0])
}

// AwaitAll waits for all promises, which must be of one client, with one wait: ten thousand cost a handler no more than one. It
// gives the results in their order. When some jobs did not succeed the error is the first one's, and counts them.
func AwaitAll[R any](ctx context.Context, promises ...*Promise[R]) ([]R, error) {
	if len(promises) == 0 {
		return nil, nil
	}
	ids := make([]ID, 0, len(promises))
	for _, p := range promises {
		ids = append(ids, p.answer.ID)
	}
	outcomes, err := promises[0].c.AwaitOutcomes(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("await %d jobs: %w", len(ids), err)
	}
	results, failed := make([]R, len(ids)), 0
	for i, o := range outcomes {
		v, err2 := resultOf[R](ids[i], o)
		if err2 != nil {
			if failed++; failed == 1 {
				err = err2
			}
		}
		results[i] = v
	}
	if failed > 1 {
		err = fmt.Errorf("%d of %d jobs did not succeed, the first: %w", failed, len(ids), err)
	}
	return results, err
}

// resultOf makes a result or an error of an outcome.
func resultOf[R any](id ID, o OutcomeAnswer) (R, error) {
	var result R
	switch {
	case o.Code != "":
		return result, missing(o.Code, id)
	case o.State == StateSucceeded:
		if err := decode(o.Result, &result); err != nil {
			return result, &Error{Code: CodeInvalid, Field: "result", Message: fmt.Sprintf("of job %s does not decode into %T", id, result), Err: err}
		}
		return result, nil
	}
	e := &JobError{Job: id, State: o.State, Code: CodeFailed}
	if o.Failure != nil {
		e.Code, e.Message, e.Stack = o.Failure.Code, o.Failure.Message, o.Failure.Stack
	}
	return result, e
}

// missing is the error about a job that is not there.
func missing(code Code, id ID) error {
	message := fmt.Sprintf("job %s was never here, or was forgotten", id)
	if code == CodeExpired {
		message = fmt.Sprintf("job %s was here and has been pruned or deleted", id)
	}
	return &Error{Code: code, Message: message}
}

// JobError says how a job ended that did not succeed. errors.Is finds its code: errors.Is(err, [ErrCancelled]).
type JobError struct {
	Job     ID
	State   State // failed or cancelled
	Code    Code
	Message string
	Stack   string // of a panic
}

// Error gives the state and the message.
func (e *JobError) Error() string { return fmt.Sprintf("job %s %s: %s", e.Job, e.State, e.Message) }

// Unwrap gives an [Error] with the code.
func (e *JobError) Unwrap() error { return &Error{Code: e.Code, Message: e.Message} }
