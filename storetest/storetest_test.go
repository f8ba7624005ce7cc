package storetest

import (
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

func modelConfig() Config {
	return Config{
		Open: func(_ testing.TB, clock *Clock) godwit.Store { return model.New(model.Config{Now: clock.Now}) },
		Reopen: func(_ testing.TB, s godwit.Store, _ *Clock) godwit.Store {
			if m, ok := s.(*model.Store); ok {
				m.Reopen()
			}
			return s
		},
	}
}

func TestModelKeepsTheTable(t *testing.T) {
	t.Parallel()
	table(t, modelConfig())
}
