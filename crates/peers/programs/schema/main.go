// Prints the fields and types of the Kubernetes objects that Palisade reads, one type a line:
//
//	Type field:type field:type ...
//
// The types are those of k8s.io/api and sigs.k8s.io/network-policy-api, taken by reflection, so they cannot be misread:
//
//	go run . > ../../../manifests/src/schema/kubernetes.txt
package main

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1alpha1 "sigs.k8s.io/network-policy-api/apis/v1alpha1"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"
)

var roots = []any{
	corev1.Namespace{}, corev1.Node{}, corev1.Pod{}, corev1.ReplicationController{}, corev1.Service{},
	corev1.ServiceAccount{},
	appsv1.Deployment{}, appsv1.ReplicaSet{}, appsv1.StatefulSet{}, appsv1.DaemonSet{},
	batchv1.Job{}, batchv1.CronJob{}, discoveryv1.EndpointSlice{}, networkingv1.NetworkPolicy{},
	networkingv1.Ingress{}, networkingv1.IngressClass{},
	policyv1alpha1.AdminNetworkPolicy{}, policyv1alpha1.BaselineAdminNetworkPolicy{},
	policyv1alpha2.ClusterNetworkPolicy{},
}

// Packages whose types have names that others have too.
var prefixes = map[string]string{
	"sigs.k8s.io/network-policy-api/apis/v1alpha1": "v1alpha1.",
	"sigs.k8s.io/network-policy-api/apis/v1alpha2": "v1alpha2.",
}

// Types with a JSON form of their own.
var special = map[string]string{
	"intstr.IntOrString":   "int-or-string",
	"resource.Quantity":    "quantity",
	"v1.Time":              "time",
	"v1.MicroTime":         "time",
	"v1.Duration":          "string",
	"v1.FieldsV1":          "any",
	"runtime.RawExtension": "any",
}

var lines = map[string]string{}

// The full name behind each short one: two types of one name would need another notation.
var fullNames = map[string]string{}

func name(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Ptr:
		return name(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string"
		}
		return "[]" + name(t.Elem())
	case reflect.Map:
		return "{}" + name(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32:
		return "int32"
	case reflect.Int64, reflect.Int:
		return "int64"
	case reflect.Float64:
		return "number"
	case reflect.Struct:
		if form, ok := special[t.String()]; ok {
			return form
		}
		short := prefixes[t.PkgPath()] + t.Name()
		full := t.PkgPath() + "." + short
		if known, ok := fullNames[short]; ok && known != full {
			panic(known + " and " + full + " have one name")
		}
		if _, ok := fullNames[short]; !ok {
			fullNames[short] = full
			lines[short] = strings.Join(fields(t), " ")
		}
		return short
	}
	panic("no form for " + t.String())
}

func fields(t reflect.Type) []string {
	var out []string
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("json"), ",")
		if tag[0] == "-" {
			continue
		}
		if tag[0] == "" {
			out = append(out, fields(f.Type)...)
			continue
		}
		out = append(out, tag[0]+":"+name(f.Type))
	}
	return out
}

func main() {
	for _, root := range roots {
		name(reflect.TypeOf(root))
	}
	var names []string
	for n := range lines {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Printf("%s %s\n", n, lines[n])
	}
}
