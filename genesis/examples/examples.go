// Package examples holds the figures of a few towns for a demo: Jackson, Richmond, Jefferson and Lisbon in the Republican primary of
// New Hampshire on 9 September 2014, from the OpenElections project (openelections/openelections-data-nh,
// 2014/primary/20140909__nh__primary__town.csv), in the columns that internal/figures reads.
package examples

import _ "embed"

// FourTowns is the file four-towns.csv: 500 ballots.
//
//go:embed four-towns.csv
var FourTowns []byte
