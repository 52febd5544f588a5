package main

import "github.com/spf13/cobra"

func newBenchAuditCommand() *cobra.Command { return &cobra.Command{Use: "audit"} }
