package httpapi_test

import (
	"net/http"
	"os"
	"regexp"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
)

func TestEveryCodeHasItsStatus(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../errors.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Code = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 30 {
		t.Fatalf("found only %d codes in errors.go", len(codes))
	}
	for _, m := range codes {
		if code := godwit.Code(m[1]); httpapi.StatusOf(code) == http.StatusInternalServerError && code != godwit.CodeCorrupt {
			t.Errorf("code %s has no status in problem.go", code)
		}
	}
}

func TestWhatIsNotFinalIsDescribed(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{})
	id := text(t, b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/echo?delay=1h", "1"), "id")
	problem := b.want(t, http.StatusConflict, http.MethodGet, "/v1/jobs/"+id+"/result", "")
	if problem["code"] != "wrong_state" || problem["state"] != "scheduled" || problem["job"] != id {
		t.Errorf("answered %v", problem)
	}
}
