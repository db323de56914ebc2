package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

func main() {
	b, err := proto.Marshal(&structpb.Struct{})
	fmt.Println(b, err, os.Args)
}
