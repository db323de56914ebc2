package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

func main() {
	var s structpb.Struct
	fmt.Println(protojson.Unmarshal([]byte(os.Args[0]), &s))
}
