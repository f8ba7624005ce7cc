package httpapi_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
)

// lineOf is a line of a batch whose argument has that many bytes.
func lineOf(size int) string {
	return `{"task":"echo","args":"` + strings.Repeat("x", size-2) + `"}` + "\n"
}

// sendBatch sends a batch that says no length, and whose reading goes as the reader has it.
func (b bundle) sendBatch(t *testing.T, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/jobs", body)
	r.ContentLength = -1
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// A batch that cannot be read to its end is answered with what was wrong with the reading: its last line is nobody's mistake.
func TestABatchThatCannotBeReadSaysWhy(t *testing.T) {
	t.Parallel()
	whole := lineOf(1000)
	half := whole + whole[:500]
	broken := func(text string, err error) io.Reader {
		return io.MultiReader(strings.NewReader(text), iotest.ErrReader(err))
	}
	for name, c := range map[string]struct {
		body   io.Reader
		status int
		code   godwit.Code
		detail string
	}{
		"too many at a time": {strings.NewReader(lineOf(700 << 10)), 429, httpapi.CodeTooBusy, "try again"},
		"cut in a line":      {broken(half, io.ErrUnexpectedEOF), 400, httpapi.CodeMalformed, "was cut off"},
		"too slow in a line": {broken(half, os.ErrDeadlineExceeded), 400, httpapi.CodeMalformed, "was cut off"},
		"cut between lines":  {broken(whole, errors.New("reset")), 400, httpapi.CodeMalformed, "was cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, httpapi.Config{BodyBytesMax: 300 << 10})
			w := b.sendBatch(t, c.body)
			wantCode(t, w, c.status, c.code)
			if !strings.Contains(w.Body.String(), c.detail) {
				t.Errorf("answered %s, want %q", w.Body, c.detail)
			}
			if busy := c.status == http.StatusTooManyRequests; busy != (w.Header().Get("Retry-After") != "") {
				t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
			}
			if n := httpapi.BodyBytes(b.Handler); n != 0 {
				t.Errorf("%d bytes of bodies still count", n)
			}
			if page, err := b.client.List(t.Context(), godwit.ListFilter{}); err != nil || len(page.Jobs) != 0 {
				t.Errorf("%d jobs were made of it, %v", len(page.Jobs), err)
			}
		})
	}
}

// weighed compares the room that a body is read into with what counts.
type weighed struct {
	io.Reader
	t    *testing.T
	b    bundle
	read int64
}

func (w *weighed) Read(p []byte) (int, error) {
	if counts := httpapi.BodyBytes(w.b.Handler); counts < w.read+int64(len(p)) {
		w.t.Errorf("of %d bytes read and room for %d more only %d count", w.read, len(p), counts)
	}
	n, err := w.Reader.Read(p)
	w.read += int64(n)
	return n, err
}

// The memory that a batch takes counts, and not only what has come of it: the room for more, and the arguments besides the line.
func TestTheMemoryOfABatchCounts(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{BodyBytesMax: 8 << 20})
	w := b.sendBatch(t, &weighed{Reader: strings.NewReader(strings.Repeat(lineOf(900_000), 4)), t: t, b: b})
	if w.Code != http.StatusAccepted {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	w = b.sendBatch(t, strings.NewReader(strings.Repeat(lineOf(900_000), 10)))
	wantCode(t, w, http.StatusTooManyRequests, httpapi.CodeTooBusy)
	if n := httpapi.BodyBytes(b.Handler); n != 0 {
		t.Errorf("%d bytes of bodies still count", n)
	}
}

// However a batch arrives, and wherever its lines end, each of them is a job.
func TestBatchesInAllPieces(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{})
	var batch strings.Builder
	for i := range 40 {
		batch.WriteString(strings.Repeat("\n", i%3) + lineOf(2 + i*131)[:24+i*131] + "}" + []string{"\n", "\r\n", " \n"}[i%3])
	}
	whole := strings.TrimSpace(batch.String())
	for name, pieces := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "with its end": iotest.DataErrReader,
	} {
		for _, end := range []string{"", "\n", "\n\n \n"} {
			w := b.sendBatch(t, pieces(strings.NewReader(whole+end)))
			if n := strings.Count(w.Body.String(), `"created":true`); w.Code != http.StatusAccepted || n != 40 {
				t.Errorf("%s, ending with %q: answered %d with %d jobs, want 40: %.300s", name, end, w.Code, n, w.Body)
			}
		}
	}
	exact := fmt.Sprintf(`{"task":"echo","args":1,"headers":{}%s}`, strings.Repeat(" ", httpapi.BatchLineMax))[:httpapi.BatchLineMax-1] + "}"
	if w := b.sendBatch(t, strings.NewReader(exact+"\n"+exact)); w.Code != http.StatusAccepted {
		t.Errorf("lines of the bound's length: answered %d %.300s", w.Code, w.Body)
	}
	wantCode(t, b.sendBatch(t, strings.NewReader(exact+" \n")), http.StatusRequestEntityTooLarge, godwit.CodeTooLarge)
}
