package main

import (
	"fmt"
	"os"

	"github.com/microcosm-cc/bluemonday"
)

func main() {
	fmt.Println(bluemonday.UGCPolicy().Sanitize(os.Args[0]))
}
