package pgtest

import "testing"

func TestCIIsWhateverIsNotFalse(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": false, "false": false, "0": false, "true": true, "TRUE": true, "1": true, "woodpecker": true} {
		if got := inCI(value); got != want {
			t.Errorf("CI=%s is a continuous integration: %v", value, got)
		}
	}
}
