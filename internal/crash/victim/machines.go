package victim

import (
	"context"
	"errors"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/crash"
)

const (
	zombieEvery = 150 * time.Millisecond // between two settles for others
	zombieBytes = 64 << 10               // of the log are looked at for one
)

// mayMeet reports whether an error is one that a settle may meet which the program did not ask for. A file is there for as long
// as the program is; a server is not.
func (v *Victim) mayMeet(err error) bool {
	if errors.Is(err, godwit.ErrClosed) {
		return true
	}
	return v.orders.Machines && (errors.Is(err, godwit.ErrUnavailable) || errors.Is(err, godwit.ErrOutcomeUnknown))
}

// settleForOthers is all the workers that wake up too late, whatever became of them: again and again it settles a run, with a result
// that nobody may see, of a job of which a later run was handed out.
func (v *Victim) settleForOthers(ctx context.Context) {
	for {
		pause(ctx, zombieEvery/2+time.Duration(v.draw(int(zombieEvery))))
		events, err := crash.ReadTail(v.orders.Log, zombieBytes)
		if err != nil {
			v.fail(err)
		}
		if late := lateIn(events); len(late) > 0 {
			t := late[v.draw(len(late))]
			v.lateSettle(t, crash.Result{Value: -1, Run: t.Run})
		}
	}
}

// lateIn gives the tokens of runs after which another run of the same job was handed out.
func lateIn(events []crash.Event) (late []godwit.Token) {
	newest := map[godwit.ID]godwit.Token{}
	for _, e := range events {
		if e.Kind != crash.Claimed {
			continue
		}
		t := godwit.Token{Job: e.Job, Run: e.Run, Session: e.Session}
		switch before, known := newest[e.Job]; {
		case !known:
			newest[e.Job] = t
		case before.Run < t.Run:
			late = append(late, before)
			newest[e.Job] = t
		default:
			late = append(late, t)
		}
	}
	return late
}
