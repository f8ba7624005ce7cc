package postgres

import (
	"sync"
	"time"
)

// A ready job that somebody has locked by hand and forgotten must not keep a queue from being claimed. So a claim that waits for locks
// waits briefly, as long as one of ours can be held, and then passes over what is still locked. For a while the claims of that queue do
// not wait again.
//
// What a claim that passes over locks does not promise: it may answer "nothing" while a job is ready that was locked; that job is found by a
// later claim. It looks at claimSlack more jobs than it may take, so that whoever has locked more than those hides the ones behind them. Its
// More says what it always says: that there may be more, which may be locked; it is never true of an answer without jobs, so
// that nobody claims again and again for the sake of what is locked.
const lockedFor = time.Minute

// claimPassing is a claim that passes over whatever is locked. Like the others it fails when a job that it has locked ran and came back.
const claimPassing = claimHead + claimTaken + claimLock + "SKIP LOCKED" + claimBegin + claimRead

// lockedQueues are those in which a claim has waited for a lock in vain. It is safe for use by many goroutines.
type lockedQueues struct {
	mu    sync.Mutex
	until map[string]time.Time // guarded by mu; by queue
}

func newLockedQueues() *lockedQueues { return &lockedQueues{until: map[string]time.Time{}} }

// note says that a claim has just waited in vain.
func (q *lockedQueues) note(queue string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.until[queue] = time.Now().Add(lockedFor)
}

// has reports whether a claim of the queue need not wait.
func (q *lockedQueues) has(queue string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	until, noted := q.until[queue]
	if noted && !time.Now().Before(until) {
		delete(q.until, queue)
		return false
	}
	return noted
}
