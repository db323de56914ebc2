package main

import (
	"fmt"
	"os"

	"github.com/gorilla/websocket"
)

func main() {
	c, _, err := websocket.DefaultDialer.Dial(os.Args[0], nil)
	fmt.Println(c, err)
}
