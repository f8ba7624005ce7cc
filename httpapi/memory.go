package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/godwit-go/godwit"
)

// What answers may hold. While one is made it has several copies of what the store gave: as it was read, in the encoder's buffer, which
// grows by doubling, and encoded.
const (
	makingFactor = 4
	makingWait   = 10 * time.Second // for which a call waits for memory to make its answer in

	jobBytes      = 2 * godwit.PayloadMax               // of a job: its argument and its result
	failureBytes  = godwit.MessageMax + godwit.StackMax // ... and of each record of a run that did not succeed
	listBytes     = godwit.PageMax * failureBytes       // of a page of jobs, which come without argument and result
	itemsBytes    = 2 * itemsPageBytes                  // of a page of items: the last part of it may be large too
	overviewBytes = 1 << 20                             // of the queues, the tasks, the workers, of which there are a few
	tinyBytes     = 4 << 10                             // of an answer that is always sent: its connection has buffers as large
	smallBytes    = 64 << 10                            // of an answer that finds room where large ones do not
	smallReserve  = 8                                   // the part of the room, one in so many, that they leave
	changeReserve = 8                                   // the part of the memory to make answers in that reads leave to calls that change something
)

// errNoRoom is why an answer was not made or not sent.
var errNoRoom = errors.New("the answers that are under way hold the memory for answers")

// memory bounds what answers hold: one half while they are made, which goes fast, and the other while they are sent, which is as slow
// as their readers. So those who do not read cannot keep others from being answered, as long as what they ask for is small.
type memory struct {
	making  lane
	changes lane // to make answers in to calls that change something, when the other is taken
	sending atomic.Int64
	room    int64 // for what is sent
}

// lane is memory that is waited for in turn.
type lane struct {
	*semaphore.Weighted
	size int64
}

func newLane(size int64) lane { return lane{semaphore.NewWeighted(size), size} }

func newMemory(most int64) *memory {
	half := most / 2
	return &memory{making: newLane(half - half/changeReserve), changes: newLane(half / changeReserve), room: most - half}
}

// holding is what one answer holds of the memory. It belongs to its request.
type holding struct {
	m       *memory
	changes bool  // the call changes something, and must not be left without its answer by those who read
	lane    *lane // that making is of
	making  int64
	sending int64
}

// make waits, first come, first served, until there is memory to make an answer in of so many bytes of the store. What was held before is
// given back first: nobody waits with what others wait for. A call that changes something does not wait behind those who read.
func (h *holding) make(ctx context.Context, n int64) error {
	h.made()
	h.lane = &h.m.making
	if h.changes {
		if h.grow(n) {
			return nil
		}
		h.lane = &h.m.changes
	}
	waiting, cancel := context.WithTimeout(ctx, makingWait)
	defer cancel()
	n = min(n*makingFactor, h.lane.size) // what would not fit is made alone
	if h.lane.Acquire(waiting, n) != nil {
		return errNoRoom
	}
	h.making = n
	return nil
}

// grow makes it memory for so many bytes in all, and reports whether that could be had at once.
func (h *holding) grow(n int64) bool {
	more := min(n*makingFactor, h.lane.size) - h.making
	if more <= 0 {
		return true
	}
	if !h.lane.TryAcquire(more) {
		return false
	}
	h.making += more
	return true
}

// made gives back the memory to make an answer in. It is safe twice.
func (h *holding) made() {
	if h.making > 0 {
		h.lane.Release(h.making)
	}
	h.making = 0
}

// send takes an encoded answer on, and reports whether there was room. It never waits: the answer would have to be held meanwhile. One
// that is alone is always sent.
func (h *holding) send(n int64, spares bool) bool {
	defer h.made()
	if n <= tinyBytes {
		return true
	}
	room := h.m.room
	if spares && n > smallBytes {
		room -= room / smallReserve
	}
	if used := h.m.sending.Add(n); used > room && used > n {
		h.m.sending.Add(-n)
		return false
	}
	h.sending += n
	return true
}

// letGo gives all back. It is safe twice.
func (h *holding) letGo() {
	h.made()
	h.m.sending.Add(-h.sending)
	h.sending = 0
}

// noRoom is the answer to a call whose answer cannot be held. One that may have changed something does not know what it did.
func noRoom(method string) error {
	code := CodeOverloaded
	if changing(method) {
		code = godwit.CodeOutcomeUnknown
	}
	return &godwit.Error{Code: code, Message: "too many large answers are under way (try again)", Err: errNoRoom}
}

// changing reports whether calls of a method may change something.
func changing(method string) bool { return method != http.MethodGet && method != http.MethodHead }
