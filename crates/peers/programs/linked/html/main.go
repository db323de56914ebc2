package main

import (
	"fmt"
	"os"

	"golang.org/x/net/html"
	"strings"
)

func main() {
	n, err := html.Parse(strings.NewReader(os.Args[0]))
	fmt.Println(n, err)
}
