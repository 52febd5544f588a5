package app

// VotesOf is votesOf for tests.
var VotesOf = votesOf
