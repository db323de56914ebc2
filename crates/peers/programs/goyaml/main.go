// Reads YAML documents from standard input, each a JSON string on a line of its own, and answers each with a
// line: the JSON that sigs.k8s.io/yaml makes of it, or `!` and the error.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	decoder := json.NewDecoder(in)
	for decoder.More() {
		var document string
		if err := decoder.Decode(&document); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		converted, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			text, _ := json.Marshal(err.Error())
			fmt.Fprintf(out, "!%s\n", text)
			continue
		}
		fmt.Fprintf(out, "%s\n", converted)
	}
}
