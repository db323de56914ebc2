// Prints the structural schemas of the Gateway API's custom resources, as their CRDs have them, a field a line:
//
//	Kind
//	 field type constraint ...
//	  field of the field ...
//
// One space of indentation a level; `-` stands for the elements of a list, `*` for the values of a mapping. Patterns
// come first, each with its number. What the CRDs say as rules in CEL is not here: those few are written by hand.
//
//	go run ./gateway > ../../../manifests/src/schema/gateway.txt
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"

	// Keeps the module in go.mod.
	_ "sigs.k8s.io/gateway-api/apis/v1"
)

// The channel with every kind and field: nothing that a cluster may take is refused.
const channel = "config/crd/experimental"

// The file of each kind, its version, and how the version is called where two of them differ.
var kinds = []struct{ file, version, name string }{
	{"gatewayclasses", "v1", "GatewayClass"},
	{"gateways", "v1", "Gateway"},
	{"grpcroutes", "v1", "GRPCRoute"},
	{"httproutes", "v1", "HTTPRoute"},
	{"referencegrants", "v1", "ReferenceGrant"},
	{"tcproutes", "v1alpha2", "TCPRoute"},
	{"tlsroutes", "v1", "TLSRoute"},
	{"tlsroutes", "v1alpha2", "v1alpha2.TLSRoute"},
	{"udproutes", "v1alpha2", "UDPRoute"},
}

// Keywords that nothing is made of: told to people, to kubectl, or by hand in CEL.
var passed = []string{
	"description", "format", "default", "x-kubernetes-validations", "x-kubernetes-map-type",
	// Of a Gateway's address: written by hand, too.
	"oneOf",
}

type schema = map[string]any

var (
	patterns []string
	lines    []string
)

func main() {
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	check(err)
	for _, kind := range kinds {
		file := "gateway.networking.k8s.io_" + kind.file + ".yaml"
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(folder)), channel, file))
		check(err)
		var crd struct {
			Spec struct {
				Versions []struct {
					Name   string
					Schema struct {
						OpenAPIV3Schema schema `json:"openAPIV3Schema"`
					}
				}
			}
		}
		check(yaml.Unmarshal(text, &crd))
		for _, version := range crd.Spec.Versions {
			if version.Name == kind.version {
				root := version.Schema.OpenAPIV3Schema
				lines = append(lines, kind.name)
				print(1, "spec", root["properties"].(schema)["spec"].(schema), contains(root["required"], "spec"))
			}
		}
	}
	for number, pattern := range patterns {
		fmt.Printf("pattern %d %s\n", number, pattern)
	}
	for _, line := range lines {
		fmt.Println(line)
	}
}

func print(level int, name string, s schema, required bool) {
	words := []string{name, s["type"].(string)}
	if required {
		words = append(words, "required")
	}
	for _, keyword := range sorted(s) {
		value := s[keyword]
		switch keyword {
		case "type", "required", "properties", "items", "additionalProperties":
		case "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "maxProperties":
			words = append(words, fmt.Sprintf("%s=%d", keyword, int64(value.(float64))))
		case "pattern":
			words = append(words, fmt.Sprintf("pattern=%d", number(value.(string))))
		case "enum":
			var texts []string
			for _, text := range value.([]any) {
				texts = append(texts, fmt.Sprint(text))
			}
			words = append(words, "enum="+strings.Join(texts, "|"))
		case "x-kubernetes-list-type":
			if value == "set" {
				words = append(words, "set")
			}
		case "x-kubernetes-list-map-keys":
			var keys []string
			for _, key := range value.([]any) {
				keys = append(keys, key.(string)+defaultOf(s, key.(string)))
			}
			words = append(words, "keys="+strings.Join(keys, "|"))
		default:
			if !contains(passed, keyword) {
				check(fmt.Errorf("%s: keyword %s is not known here", name, keyword))
			}
		}
	}
	lines = append(lines, strings.Repeat(" ", level)+strings.Join(words, " "))
	if fields, ok := s["properties"].(schema); ok {
		for _, field := range sorted(fields) {
			of := fields[field].(schema)
			// What has a default is never missing.
			_, hasDefault := of["default"]
			print(level+1, field, of, contains(s["required"], field) && !hasDefault)
		}
	}
	if items, ok := s["items"].(schema); ok {
		print(level+1, "-", items, false)
	}
	if values, ok := s["additionalProperties"].(schema); ok {
		print(level+1, "*", values, false)
	}
}

// defaultOf is ":DEFAULT" for a key of a list's elements that has one.
func defaultOf(s schema, key string) string {
	of := s["items"].(schema)["properties"].(schema)[key].(schema)
	if value, ok := of["default"]; ok {
		return fmt.Sprintf(":%v", value)
	}
	return ""
}

func number(pattern string) int {
	for number, known := range patterns {
		if known == pattern {
			return number
		}
	}
	patterns = append(patterns, pattern)
	return len(patterns) - 1
}

func contains(list any, wanted string) bool {
	switch list := list.(type) {
	case []any:
		for _, entry := range list {
			if entry == wanted {
				return true
			}
		}
	case []string:
		for _, entry := range list {
			if entry == wanted {
				return true
			}
		}
	}
	return false
}

func sorted(fields schema) []string {
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
