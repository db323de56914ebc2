package main

import (
	"fmt"
	"os"

	"golang.org/x/text/unicode/norm"
)

func main() {
	fmt.Println(norm.NFC.String(os.Args[0]))
}
