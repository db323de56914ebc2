package main

import (
	"fmt"
	"os"

	"github.com/gorilla/schema"
)

func main() {
	var v struct{ A string }
	fmt.Println(schema.NewEncoder().Encode(v, map[string][]string{}), os.Args)
}
