package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// difference gives the lines in which two values differ, "-" before what is wanted and "+" before what was got; empty when they
// are equal. Empty and nil slices and maps count as equal, times by their instant.
func difference(got, want any) string {
	if reflect.DeepEqual(got, want) {
		return ""
	}
	a, b := describe(want), describe(got)
	if slices.Equal(a, b) {
		return ""
	}
	inA, inB := map[string]bool{}, map[string]bool{}
	for _, line := range a {
		inA[line] = true
	}
	for _, line := range b {
		inB[line] = true
	}
	var out strings.Builder
	for _, line := range a {
		if !inB[line] {
			fmt.Fprintf(&out, "\t- %s\n", line)
		}
	}
	for _, line := range b {
		if !inA[line] {
			fmt.Fprintf(&out, "\t+ %s\n", line)
		}
	}
	if out.Len() == 0 {
		return "\tthe same lines in another order\n"
	}
	return shorten(out.String())
}

// differenceMax is how many bytes of a difference are shown.
const differenceMax = 4000

func shorten(text string) string {
	if len(text) <= differenceMax {
		return text
	}
	return text[:differenceMax] + "...\n"
}

// describe flattens a value into lines "path = value"; what is empty is left out.
func describe(v any) []string {
	var lines []string
	flatten("", reflect.ValueOf(v), &lines)
	return lines
}

// describeShort is describe on one line.
func describeShort(v any) string { return strings.Join(describe(v), " ") }

const lineMax = 200

func flatten(path string, v reflect.Value, lines *[]string) {
	if !v.IsValid() || v.IsZero() {
		return
	}
	add := func(text string) {
		if len(text) > lineMax {
			text = fmt.Sprintf("%s... (%d bytes)", text[:lineMax], len(text))
		}
		*lines = append(*lines, strings.TrimPrefix(path, ".")+"="+text)
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case time.Time:
			add(x.UTC().Format(time.RFC3339Nano))
			return
		case []byte:
			if len(x) > 0 {
				add(fmt.Sprintf("%q", x))
			}
			return
		case fmt.Stringer:
			add(x.String())
			return
		case error:
			add(x.Error())
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		flatten(path, v.Elem(), lines)
	case reflect.Struct:
		for i := range v.NumField() {
			flatten(path+"."+v.Type().Field(i).Name, v.Field(i), lines)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Len() > 0 {
			*lines = append(*lines, fmt.Sprintf("len(%s)=%d", strings.TrimPrefix(path, "."), v.Len()))
		}
		for i := range v.Len() {
			flatten(fmt.Sprintf("%s[%d]", path, i), v.Index(i), lines)
		}
	case reflect.Map:
		flattenMap(path, v, lines)
	default:
		add(fmt.Sprint(v.Interface()))
	}
}

func flattenMap(path string, v reflect.Value, lines *[]string) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for _, k := range keys {
		*lines = append(*lines, fmt.Sprintf("%s[%v]=%v", strings.TrimPrefix(path, "."), k, v.MapIndex(k)))
	}
}
