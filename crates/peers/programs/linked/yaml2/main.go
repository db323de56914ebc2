package main

import (
	"fmt"
	"os"

	yaml "gopkg.in/yaml.v2"
)

func main() {
	var v map[string]any
	fmt.Println(yaml.Unmarshal([]byte(os.Args[0]), &v), v)
}
