package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestScreenShowsWhatATerminalDoes(t *testing.T) {
	t.Parallel()
	text := "$ demo\r\n██░ 1\x1b[K\n\r\x1b[1A███ 2\x1b[K\n\x1b[1mdone\x1b[0m & dusted  \r\n$ "
	for size := 1; size <= len(text); size++ { // however it comes in parts
		var s screen
		for at := 0; at < len(text); at += size {
			if err := s.write([]byte(text[at:min(at+size, len(text))]), time.Duration(at)*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		var shown []string
		for _, row := range s.rows {
			shown = append(shown, strings.TrimRight(string(runes(row[len(row)-1].cells)), " "))
		}
		if got := strings.Join(shown, "\n"); got != "$ demo\n███ 2\ndone & dusted\n$" {
			t.Fatalf("in parts of %d bytes:\n%s", size, got)
		}
		svg := s.svg()
		for decoder := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v\n%s", err, svg)
			}
		}
		if !bytes.Contains(svg, []byte(`<text class="b"`)) || !bytes.Contains(svg, []byte("&amp; dusted")) {
			t.Fatalf("got\n%s", svg)
		}
		if size == 1 && !bytes.Contains(svg, []byte(`<g class="past `)) {
			t.Errorf("no row has a past:\n%s", svg)
		}
	}
}

func TestScreenRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\a", "\x1b[31m", "\x1b[2K"} {
		if err := new(screen).write([]byte(text), 0); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
