package tracing_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/tracing"
)

// everything makes spans with every attribute that there is.
func everything(t *testing.T, b bundle, store *model.Store) {
	t.Helper()
	ctx := t.Context()
	submit := func(task *godwit.Task[int, int], o godwit.SubmitOptions) {
		t.Helper()
		if _, err := task.Submit(ctx, b, 1, o); err != nil {
			t.Fatal(err)
		}
	}
	session := godwit.NewSession{
		ID: godwit.NewID(), Lease: godwit.LeaseMin, Queues: []string{godwit.QueueDefault},
		Tasks: []godwit.Capability{{Task: "outer", MinVersion: 1, MaxVersion: 1}},
	}
	if _, err := store.StartSession(ctx, session); err != nil {
		t.Fatal(err)
	}
	submit(outer, godwit.SubmitOptions{IdempotencyKey: "k"})
	submit(outer, godwit.SubmitOptions{IdempotencyKey: "k"})
	if a, err := store.Claim(ctx, godwit.ClaimRequest{Session: session.ID, Queue: godwit.QueueDefault, Limit: 1}); err != nil || len(a.Jobs) != 1 {
		t.Fatalf("got %v, %v", a, err)
	}
	godwit.Handle(b.Client, double, func(context.Context, int) (int, error) { return 0, errors.New("oops") })
	godwit.Handle(b.Client, outer, func(ctx context.Context, _ int) (int, error) {
		_, err := double.SubmitMany(ctx, b, []int{1, 2}, godwit.SubmitOptions{})
		return 0, err
	})
	stop := b.start(t)
	<-time.After(time.Hour)
	stop()
}

func TestTheTableHasEveryAttribute(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/tracing.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| (both|submit|run) \\|").FindAllStringSubmatch(string(text), -1) {
		rows[row[1]] = row[2]
	}
	synctest.Test(t, func(t *testing.T) {
		store := model.New(model.Config{})
		b := setup(t, store, tracing.Config{})
		everything(t, b, store)
		if _, err := outer.Submit(t.Context(), b, 1, godwit.SubmitOptions{Delay: -1}); err == nil {
			t.Error("a negative delay was taken")
		}
		seen := map[string][]string{}
		for _, s := range b.exporter.GetSpans() {
			what, _, _ := strings.Cut(s.Name, " ")
			for _, kv := range s.Attributes {
				if key := string(kv.Key); !slices.Contains(seen[key], what) {
					seen[key] = append(seen[key], what)
				}
			}
		}
		for key, on := range seen {
			for _, what := range on {
				if row, ok := rows[key]; !ok || row != "both" && row != what {
					t.Errorf("%s is on spans of %s, and docs/tracing.md says %q", key, what, row)
				}
			}
		}
		for key, row := range rows {
			if n := len(seen[key]); n == 0 || row == "both" && n < 2 {
				t.Errorf("docs/tracing.md has %s on %s, and it is seen on %v", key, row, seen[key])
			}
		}
	})
}
