package main

import (
	"fmt"
	"os"

	"golang.org/x/text/language"
)

func main() {
	fmt.Println(language.ParseAcceptLanguage(os.Args[0]))
}
