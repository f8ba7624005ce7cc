package postgres

import (
	"errors"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
)

func TestCheckFindsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(newJob())
	id := b.submit(keyed())
	b.claim(b.store, 1)
	if err := b.store.Check(t.Context()); err != nil {
		t.Fatalf("a sound store: %v", err)
	}
	exec(t, connect(t, b.url), "DELETE FROM godwit.places WHERE id = '"+id.String()+"'")
	err := b.store.Check(t.Context())
	if !errors.Is(err, godwit.ErrCorrupt) {
		t.Fatalf("a job without a place: %v", err)
	}
	for _, want := range []string{"exactly one place", "a unique one of an unfinished job", id.String()} {
		if text := errors.Unwrap(err).Error(); !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
}

func TestWhatTextCannotHoldIsRefusedOrReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	n := newJob()
	n.Queue = "a\x00b"
	if _, err := b.store.Submit(t.Context(), []godwit.NewJob{n}); !errors.Is(err, godwit.ErrInvalid) {
		t.Errorf("a queue with NUL in its name: %v", err)
	}
	b.submit(newJob())
	token := b.claim(b.store, 1)[0]
	failure := &godwit.Failure{Code: godwit.CodePanic, Message: "bad \x00 and \xff"}
	answers, err := b.store.Settle(t.Context(), []godwit.Settlement{{Token: token, Outcome: godwit.OutcomeFail, Failure: failure}})
	if err != nil || answers[0].State != godwit.StateFailed {
		t.Errorf("a failure with NUL in its text: %+v, %v", answers, err)
	}
	got, err := b.store.Outcomes(t.Context(), []godwit.ID{token.Job})
	if err != nil || got[0].Failure.Message != "bad \uFFFD and \uFFFD" {
		t.Errorf("the failure is kept as %+v, %v", got, err)
	}
}
