package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/suggest"
	"github.com/godwit-go/godwit/internal/wire"
)

// batchLineMax bounds a line of a batch: the arguments at their bound, and room for the rest.
const batchLineMax = godwit.PayloadMax + 256<<10

// runBatch submits what the lines say, part after part. A part is all or none.
func (f *submitFlags) runBatch(cmd *cobra.Command) error {
	lines, err := f.openBatch(cmd)
	if err != nil {
		return err
	}
	defer lines.close()
	return f.work(func(ctx context.Context, d *desk, _ []string) error {
		for done := 0; ; {
			subs, err := lines.part()
			if err == nil && len(subs) == 0 {
				if done == 0 {
					return usagef("--batch must hold a line of JSON for each job, and is empty")
				}
				return nil
			}
			var answers []godwit.SubmitAnswer
			if err == nil {
				answers, err = d.SubmitAll(ctx, subs)
			}
			if err != nil {
				return lines.sayHowFar(err, done)
			}
			for _, a := range answers {
				if err := d.printEach(a); err != nil {
					return fmt.Errorf("%w (all jobs up to line %d were submitted)", err, lines.number)
				}
			}
			done += len(subs)
			lines.submitted = lines.number
		}
	})(cmd, nil)
}

func (d *desk) printEach(a godwit.SubmitAnswer) error {
	if d.json {
		return d.line(wire.Submitted{ID: a.ID, Created: a.Created, Reopened: a.Reopened, State: a.State})
	}
	_, err := fmt.Fprintln(d.out, a.ID)
	return err
}

// batchLines reads the lines of a batch.
type batchLines struct {
	*bufio.Scanner
	close     func()
	number    int    // of the line read last, from 1
	numbers   []int  // of the lines of the part read last
	submitted int    // number of the last line that was submitted
	ahead     []byte // a line that was read and belongs to the next part
}

func (f *submitFlags) openBatch(cmd *cobra.Command) (*batchLines, error) {
	r := cmd.InOrStdin()
	b := &batchLines{close: func() {}}
	if f.batch != batchStdin {
		file, err := os.Open(f.batch)
		if err != nil {
			return nil, usagef("--batch cannot be read: %w", err)
		}
		r, b.close = file, func() { _ = file.Close() } // only read
	}
	b.Scanner = bufio.NewScanner(r)
	b.Buffer(make([]byte, 0, 64<<10), batchLineMax)
	return b, nil
}

// part reads as many jobs as one call takes.
func (b *batchLines) part() ([]godwit.Submission, error) {
	var subs []godwit.Submission
	b.numbers = b.numbers[:0]
	for size := 0; len(subs) < godwit.BatchMax; {
		line := b.ahead
		b.ahead = nil
		if line == nil {
			if !b.Scan() {
				return subs, b.readError()
			}
			if line = bytes.TrimSpace(b.Bytes()); len(line) == 0 {
				b.number++
				continue
			}
		}
		if size += len(line); size > godwit.BatchBytesMax && len(subs) > 0 {
			b.ahead = bytes.Clone(line)
			break
		}
		b.number++
		sub, err := readLine(line)
		if err != nil {
			return nil, usagef("line %d: %w", b.number, err)
		}
		subs, b.numbers = append(subs, sub), append(b.numbers, b.number)
	}
	return subs, nil
}

func (b *batchLines) readError() error {
	err := b.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return usagef("line %d must be at most %d bytes", b.number+1, batchLineMax)
	case err != nil:
		return fmt.Errorf("read line %d: %w", b.number+1, err)
	}
	return nil
}

// placeInCall is how a server or a store names the job at fault, by its place in the call.
var placeInCall = regexp.MustCompile(`^(?:line|job) (\d+)(?: of \d+)?: `)

// inInput names the line of the input instead of its place in the call.
func (b *batchLines) inInput(err error) error {
	var e *godwit.Error
	place := placeInCall.FindStringSubmatch(err.Error())
	if place == nil || !errors.As(err, &e) {
		return err
	}
	i, convert := strconv.Atoi(place[1])
	if convert != nil || i < 1 || i > len(b.numbers) {
		return err
	}
	return fmt.Errorf("line %d: %w", b.numbers[i-1], e)
}

// sayHowFar adds which lines were submitted before an error, so that the rest can be.
func (b *batchLines) sayHowFar(err error, done int) error {
	err = b.inInput(err)
	unknown := errors.Is(err, godwit.ErrOutcomeUnknown)
	switch {
	case done == 0 && unknown:
		return fmt.Errorf("%w (all of it was submitted, or nothing)", err)
	case done == 0:
		return fmt.Errorf("%w (nothing was submitted)", err)
	case unknown:
		return fmt.Errorf("%w (%s up to line %d were submitted; of the lines up to %d, all or none)", err, count(done, "job", "jobs"), b.submitted, b.number)
	}
	return fmt.Errorf("%w (%s up to line %d were submitted, none of the lines after it)", err, count(done, "job", "jobs"), b.submitted)
}

// readLine makes a submission of a line, checked as far as it can be without a server.
func readLine(line []byte) (godwit.Submission, error) {
	var in wire.Submission
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return godwit.Submission{}, lineError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return godwit.Submission{}, errors.New("must hold one JSON object, and goes on after it")
	}
	if in.Args == nil {
		return godwit.Submission{}, errors.New("args must be given (null for a task without an argument)")
	}
	if in.ID.IsZero() {
		in.ID = godwit.NewID()
	}
	s := godwit.Submission{
		Task: in.Task, Version: in.Version, Args: godwit.Payload{Encoding: godwit.EncodingJSON, Data: in.Args}, Options: in.Options(),
	}
	if in.Policy != nil {
		s = s.WithPolicy(in.Policy.Plain())
	}
	_, err := s.NewJob(time.Now())
	return s, err
}

// lineError names the field at fault.
func lineError(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		field := wrongType.Field
		if field == "" {
			field = "the line"
		}
		return fmt.Errorf("%s must be %s, got %s", field, kindName(wrongType.Type), wrongType.Value)
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		name = strings.Trim(name, `"`)
		return fmt.Errorf("%s is no field of a job%s", quoteShort(name), suggest.DidYouMean(name, fieldNames(reflect.TypeFor[wire.Submission]())))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("must be JSON, and ends in the middle of it")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("must be a JSON object: %w at byte %d", err, syntax.Offset)
	}
	return fmt.Errorf("cannot be read: %w", err)
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	}
	return "a " + t.Kind().String()
}

// fieldNames lists the JSON names of a struct.
func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
