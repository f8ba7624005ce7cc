package async_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit/async"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/async-models.md from the code")

const modelsDoc = "../docs/async-models.md"

// The tables of docs/async-models.md are made from the files below, which compile. A row is a comment that begins with "//: " and
// has the other world's name, and after a bar a remark; the block that follows is the code. Lines that begin with "use(" only keep
// the compiler content and are left out.
var modelTables = []string{"asyncio", "asyncio_sync", "asyncio_transports", "java", "java_state", "javascript", "node"}

// modelRows has the functions that the rows stand in and that are run, too.
var modelRows = map[string]func(context.Context, *async.Scope, model) error{
	"asyncioRows":           asyncioRows,
	"asyncioRows2":          asyncioRows2,
	"asyncioSyncRows":       asyncioSyncRows,
	"asyncioSyncRows2":      asyncioSyncRows2,
	"asyncioSyncRows3":      asyncioSyncRows3,
	"asyncioTransportRows4": asyncioTransportRows4,
	"javaRows":              javaRows,
	"javaRows2":             javaRows2,
	"javaRows3":             javaRows3,
	"javaStateRows3":        javaStateRows3,
	"jsRows":                jsRows,
	"jsRows2":               jsRows2,
	"jsRows4":               jsRows4,
	"jsRows5":               jsRows5,
	"nodeRows4":             nodeRows4,
	"asyncioRows7":          asyncioRows7,
	"asyncioSyncRows6":      asyncioSyncRows6,
	"javaStateRows4":        javaStateRows4,
	"nodeRows6":             nodeRows6,
	"jsRows6":               jsRows6,
}

// modelRowsCompiled has those that are only compiled: they show panics, wait for signals, use the network, or write to the terminal.
var modelRowsCompiled = []func(context.Context, *async.Scope, model) error{
	asyncioRows3,
	asyncioRows4,
	asyncioRows5,
	asyncioRows6,
	asyncioSyncRows4,
	asyncioRows8,
	asyncioSyncRows5,
	asyncioSyncRows7,
	asyncioSyncRows8,
	asyncioTransportRows,
	asyncioTransportRows2,
	asyncioTransportRows3,
	javaStateRows,
	javaStateRows2,
	jsRows3,
	nodeRows,
	nodeRows2,
	nodeRows3,
	nodeRows5,
}

// TestModelRowsEnd runs the rows with a context that ends after an hour: they return, panic nowhere and leave nothing behind.
func TestModelRowsEnd(t *testing.T) {
	for name, rows := range modelRows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
					m := model{f: async.Go(s, fetch), g: async.Go(s, fetch)}
					m.fs = []*async.Future[int]{m.f, m.g}
					if err := rows(ctx, s, m); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					s.Stop()
					return nil
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestModelsDocIsMadeFromCode(t *testing.T) {
	use(modelRowsCompiled)
	doc, err := os.ReadFile(modelsDoc)
	if err != nil {
		t.Fatal(err)
	}
	made := doc
	for _, name := range modelTables {
		made = replaceTable(t, made, name, makeTable(t, name))
	}
	if *update {
		if err := os.WriteFile(modelsDoc, made, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(made, doc) {
		t.Fatal("docs/async-models.md differs from the code (go test ./async -run ModelsDoc -update mends that)")
	}
}

// replaceTable puts a table between its marks in the document.
func replaceTable(t *testing.T, doc []byte, name, table string) []byte {
	t.Helper()
	begin, end := fmt.Sprintf("<!-- table %s -->\n", name), "<!-- end -->"
	before, rest, ok := strings.Cut(string(doc), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("docs/async-models.md has no marks for the table %s", name)
	}
	return []byte(before + begin + table + end + after)
}

func makeTable(t *testing.T, name string) string {
	t.Helper()
	source, err := os.ReadFile("models_" + name + "_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| there | in Go | |\n| --- | --- | --- |\n")
	lines := strings.Split(string(source), "\n")
	rows := 0
	for i, line := range lines {
		title, ok := strings.CutPrefix(strings.TrimSpace(line), "//: ")
		if !ok {
			continue
		}
		theirs, remark, _ := strings.Cut(strings.TrimSuffix(title, " |"), " | ")
		code := blockAfter(t, lines[i+1:], title)
		fmt.Fprintf(&table, "| %s | %s | %s |\n", inCode(theirs), strings.Join(code, "<br>"), remark)
		rows++
	}
	if rows == 0 {
		t.Fatalf("the table %s has no rows", name)
	}
	return table.String()
}

// blockAfter gives the lines of the block that begins at lines[0], each as a code span.
func blockAfter(t *testing.T, lines []string, title string) (code []string) {
	t.Helper()
	indent, brace, _ := strings.Cut(lines[0], "{")
	if brace != "" || strings.TrimSpace(indent) != "" {
		t.Fatalf("the row %q is not followed by a block", title)
	}
	for _, line := range lines[1:] {
		if line == indent+"}" {
			if len(code) == 0 {
				return []string{"nothing"}
			}
			return code
		}
		line = strings.TrimPrefix(line, indent+"\t")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(strings.TrimSpace(line), "use(") {
			continue
		}
		line, _, _ = strings.Cut(line, " //nolint")
		text := strings.TrimLeft(line, "\t")
		depth := strings.Repeat("&nbsp;&nbsp;", len(line)-len(text))
		code = append(code, depth+inCode(text))
	}
	t.Fatalf("the block of the row %q does not end", title)
	return nil
}

// inCode makes a code span that may stand in a table.
func inCode(text string) string { return "`" + strings.ReplaceAll(text, "|", `\|`) + "`" }

// use keeps the compiler content with what a row leaves unused.
func use(...any) {}

// model is what the rows have at hand.
type model struct {
	f  *async.Future[int]
	g  *async.Future[int]
	fs []*async.Future[int]
}

func fetch(ctx context.Context) (int, error)           { return 1, ctx.Err() }
func store(ctx context.Context, v int) error           { return ctx.Err() }
func load(ctx context.Context, id int) (string, error) { return "", ctx.Err() }
func compute() int                                     { return 1 }
func notify(id int)                                    {}
func handle(v int, err error)                          {}

func startLoad(s *async.Scope, id int) *async.Future[string] {
	return async.Go(s, func(ctx context.Context) (string, error) { return load(ctx, id) })
}
