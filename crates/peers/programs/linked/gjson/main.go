package main

import (
	"fmt"
	"os"

	"github.com/tidwall/gjson"
)

func main() {
	fmt.Println(gjson.Get(os.Args[0], "a.b").String())
}
