package main

import (
	"fmt"
	"os"

	"github.com/miekg/dns"
)

func main() {
	m := new(dns.Msg)
	m.SetQuestion(os.Args[0], dns.TypeA)
	r, err := dns.Exchange(m, "127.0.0.1:53")
	fmt.Println(r, err)
}
