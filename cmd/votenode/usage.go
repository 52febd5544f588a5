package main

import (
	"regexp"
	"strings"
)

// usageWords put what the flags package says of wrong usage into plain words.
var usageWords = []struct {
	said  *regexp.Regexp
	plain func(parts []string) string
}{
	{regexp.MustCompile(`^accepts (\d+) arg\(s\), received (\d+)$`), func(p []string) string { return "it takes " + arguments(p[1]) + ", not " + p[2] }},
	{regexp.MustCompile(`^accepts at most (\d+) arg\(s\), received (\d+)$`), func(p []string) string {
		return "it takes at most " + arguments(p[1]) + ", not " + p[2]
	}},
	{regexp.MustCompile(`^requires at least (\d+) arg\(s\), only received (\d+)$`), func(p []string) string {
		return "it takes at least " + arguments(p[1]) + ", not " + p[2]
	}},
	{regexp.MustCompile(`^if any flags in the group \[.*\] are set none of the others can be; \[(.*)\] were all set$`), func(p []string) string { return "give only one of " + flagNames(p[1]) }},
	{regexp.MustCompile(`^if any flags in the group \[(.*)\] are set they must all be set; missing \[(.*)\]$`), func(p []string) string { return flagNames(p[1]) + " go together; " + flagNames(p[2]) + " is missing" }},
	{regexp.MustCompile(`^at least one of the flags in the group \[(.*)\] is required$`), func(p []string) string { return "give one of " + flagNames(p[1]) }},
	{regexp.MustCompile(`^required flag\(s\) (.*) not set$`), func(p []string) string {
		return "missing: " + flagNames(strings.NewReplacer(`"`, "", ",", "").Replace(p[1]))
	}},
}

// plainUsage returns the words for people of an error about usage, and any other as it is.
func plainUsage(text string) string {
	for _, w := range usageWords {
		if parts := w.said.FindStringSubmatch(text); parts != nil {
			return w.plain(parts)
		}
	}
	return text
}

func arguments(number string) string {
	switch number {
	case "0":
		return "no arguments"
	case "1":
		return "1 argument"
	}
	return number + " arguments"
}

// flagNames writes names of flags, separated by spaces, as they are typed.
func flagNames(names string) string {
	return "--" + strings.Join(strings.Fields(names), ", --")
}
