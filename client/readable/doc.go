// Package readable turns what the ledger holds into what people read and fill in: elections, results, resolutions, ballot forms, and
// any message as JSON.
//
// It computes nothing that anybody signs, and believes no node: everything comes from a certified view of package client.
package readable
