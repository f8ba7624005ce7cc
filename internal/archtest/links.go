package archtest

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
)

var (
	codeSpan   = regexp.MustCompile("(`+)[^`]+(`+)")
	inlineLink = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)`)
	linkTarget = regexp.MustCompile(`^ {0,3}\[[^\]]+\]:\s+<?([^\s>]+)>?`)
	htmlLink   = regexp.MustCompile(`\b(?:href|src)="([^"]+)"`)
	htmlAnchor = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	heading    = regexp.MustCompile(`^ {0,3}#{1,6}\s+(.+?)\s*#*$`)
	linkedText = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
)

// Links returns the relative links in Markdown that lead nowhere: to a file
// that is not there, or to a heading that its file does not have. Links to the
// web are not followed.
func Links(t *Tree) []Violation {
	var found []Violation
	for _, f := range t.markdown() {
		for i, line := range outsideFences(f.lines) {
			line = codeSpan.ReplaceAllString(line, "")
			for _, pattern := range []*regexp.Regexp{inlineLink, linkTarget, htmlLink} {
				for _, match := range pattern.FindAllStringSubmatch(line, -1) {
					if why := t.deadLink(f, match[1]); why != "" {
						found = append(found, Violation{f.path, i + 1, fmt.Sprintf("link to %s: %s", match[1], why)})
					}
				}
			}
		}
	}
	return found
}

func (t *Tree) deadLink(from *file, link string) string {
	target, err := url.Parse(link)
	if err != nil {
		return err.Error()
	}
	if target.Scheme != "" || target.Host != "" {
		return ""
	}
	name := from.path
	if target.Path != "" {
		name = path.Join(path.Dir(from.path), target.Path)
		if rooted, ok := strings.CutPrefix(target.Path, "/"); ok {
			name = path.Clean(rooted)
		}
	}
	if _, err := fs.Stat(t.fsys, name); err != nil {
		return "there is no such file in the repository"
	}
	to, ok := t.file(name)
	if target.Fragment == "" || !ok || path.Ext(name) != ".md" {
		return ""
	}
	if !anchors(to)[target.Fragment] {
		return "that file has no such heading"
	}
	return ""
}

// anchors returns what a link may name in a Markdown file, after the rules of
// GitHub.
func anchors(f *file) map[string]bool {
	found := make(map[string]bool)
	for _, line := range outsideFences(f.lines) {
		for _, match := range htmlAnchor.FindAllStringSubmatch(line, -1) {
			found[match[1]] = true
		}
		match := heading.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		base := slug(match[1])
		name := base
		for n := 1; found[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		found[name] = true
	}
	return found
}

func slug(text string) string {
	text = linkedText.ReplaceAllString(text, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}
