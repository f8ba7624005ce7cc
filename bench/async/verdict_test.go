package main

import "testing"

func TestVerdictTakesNoiseBothWays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ratio, noise float64
		wanted       string
	}{
		{0.40, 1.1, "met, twice over"},
		{0.49, 1.1, "met"},
		{0.90, 1.05, "met"},
		{0.99, 1.05, "undecided"},
		{1.01, 1.05, "undecided"},
		{1.06, 1.05, "**not met**"},
	} {
		if got := verdict(c.ratio, c.noise); got != c.wanted {
			t.Errorf("ratio %v, noise %v: got %q, want %q", c.ratio, c.noise, got, c.wanted)
		}
	}
}
