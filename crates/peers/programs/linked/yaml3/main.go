package main

import (
	"fmt"
	"os"

	yaml "gopkg.in/yaml.v3"
)

func main() {
	b, err := yaml.Marshal(os.Args)
	fmt.Println(string(b), err)
}
