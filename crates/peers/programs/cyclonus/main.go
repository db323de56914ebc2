// Prints worlds of pods and NetworkPolicies, a line of JSON each, and what cyclonus expects of every pair of pods.
//
// First the cases of its own suite, step by step; then as many worlds of random policies as the first argument says, from
// the seed that the second one says.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strconv"

	"github.com/mattfenwick/cyclonus/pkg/generator"
	"github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

type pod struct {
	namespace, name, address string
	labels                   map[string]string
}

type world struct {
	namespaces map[string]map[string]string
	pods       []pod
	policies   []*networkingv1.NetworkPolicy
}

// What every pod serves, as in the suite: each on a port that is named after it.
var (
	ports     = []int{80, 81}
	protocols = []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}
)

func portName(port int, protocol corev1.Protocol) string {
	words := map[corev1.Protocol]string{"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
	return fmt.Sprintf("serve-%d-%s", port, words[protocol])
}

// A namespace's own label is given by the API server.
func labelled(namespace string, labels map[string]string) map[string]string {
	all := map[string]string{"kubernetes.io/metadata.name": namespace}
	for key, value := range labels {
		all[key] = value
	}
	return all
}

func (w *world) addNamespace(name string, labels map[string]string) {
	w.namespaces[name] = labelled(name, labels)
}

func (w *world) addPod(namespace, name string, labels map[string]string) {
	address := fmt.Sprintf("192.168.%d.%d", 1+len(w.pods)/3, 10+len(w.pods)%3)
	w.pods = append(w.pods, pod{namespace, name, address, labels})
}

// Three namespaces of three pods.
func defaults() *world {
	w := &world{namespaces: map[string]map[string]string{}}
	for _, namespace := range []string{"x", "y", "z"} {
		w.addNamespace(namespace, map[string]string{"ns": namespace})
		for _, name := range []string{"a", "b", "c"} {
			w.addPod(namespace, name, map[string]string{"pod": name})
		}
	}
	return w
}

func (w *world) find(namespace, name string) *pod {
	for index := range w.pods {
		if w.pods[index].namespace == namespace && w.pods[index].name == name {
			return &w.pods[index]
		}
	}
	panic("no pod " + namespace + "/" + name)
}

func (w *world) removePolicy(namespace, name string) {
	kept := []*networkingv1.NetworkPolicy{}
	for _, policy := range w.policies {
		if policy.Namespace != namespace || policy.Name != name {
			kept = append(kept, policy)
		}
	}
	w.policies = kept
}

func (w *world) removePods(is func(pod) bool) {
	kept := []pod{}
	for _, each := range w.pods {
		if !is(each) {
			kept = append(kept, each)
		}
	}
	w.pods = kept
}

func (w *world) act(action *generator.Action) {
	switch {
	case action.CreatePolicy != nil:
		w.policies = append(w.policies, action.CreatePolicy.Policy)
	case action.UpdatePolicy != nil:
		policy := action.UpdatePolicy.Policy
		w.removePolicy(policy.Namespace, policy.Name)
		w.policies = append(w.policies, policy)
	case action.DeletePolicy != nil:
		w.removePolicy(action.DeletePolicy.Namespace, action.DeletePolicy.Name)
	case action.CreateNamespace != nil:
		w.addNamespace(action.CreateNamespace.Namespace, action.CreateNamespace.Labels)
	case action.SetNamespaceLabels != nil:
		w.addNamespace(action.SetNamespaceLabels.Namespace, action.SetNamespaceLabels.Labels)
	case action.DeleteNamespace != nil:
		gone := action.DeleteNamespace.Namespace
		delete(w.namespaces, gone)
		w.removePods(func(each pod) bool { return each.namespace == gone })
	case action.CreatePod != nil:
		w.addPod(action.CreatePod.Namespace, action.CreatePod.Pod, action.CreatePod.Labels)
	case action.SetPodLabels != nil:
		w.find(action.SetPodLabels.Namespace, action.SetPodLabels.Pod).labels = action.SetPodLabels.Labels
	case action.DeletePod != nil:
		w.removePods(func(each pod) bool {
			return each.namespace == action.DeletePod.Namespace && each.name == action.DeletePod.Pod
		})
	case action.ReadNetworkPolicies != nil:
	default:
		panic("an action that this program does not know")
	}
}

// As the API server would, before anybody else sees the policy.
func defaulted(policy *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	policy = policy.DeepCopy()
	if len(policy.Spec.PolicyTypes) == 0 {
		policy.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(policy.Spec.Egress) > 0 {
			policy.Spec.PolicyTypes = append(policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	tcp := corev1.ProtocolTCP
	fill := func(ports []networkingv1.NetworkPolicyPort) {
		for index := range ports {
			if ports[index].Protocol == nil {
				ports[index].Protocol = &tcp
			}
		}
	}
	for index := range policy.Spec.Ingress {
		fill(policy.Spec.Ingress[index].Ports)
	}
	for index := range policy.Spec.Egress {
		fill(policy.Spec.Egress[index].Ports)
	}
	return policy
}

func (w *world) manifests() corev1.List {
	list := corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}}
	add := func(object any) {
		raw, err := json.Marshal(object)
		if err != nil {
			panic(err)
		}
		list.Items = append(list.Items, runtime.RawExtension{Raw: raw})
	}
	names := []string{}
	for name := range w.namespaces {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		meta := metav1.ObjectMeta{Name: name, Labels: w.namespaces[name]}
		add(corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: meta})
	}
	for _, each := range w.pods {
		add(each.object())
	}
	for _, policy := range w.policies {
		written := policy.DeepCopy()
		written.TypeMeta = metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}
		add(written)
	}
	return list
}

func (each pod) object() corev1.Pod {
	containers := []corev1.Container{}
	for _, port := range ports {
		for _, protocol := range protocols {
			name := portName(port, protocol)
			served := corev1.ContainerPort{Name: name, ContainerPort: int32(port), Protocol: protocol}
			containers = append(containers, corev1.Container{Name: "cont-" + name, Image: "x", Ports: []corev1.ContainerPort{served}})
		}
	}
	return corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: each.namespace, Name: each.name, Labels: each.labels},
		Spec:       corev1.PodSpec{Containers: containers},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIP: each.address, PodIPs: []corev1.PodIP{{IP: each.address}}},
	}
}

func (w *world) peer(each pod) *matcher.TrafficPeer {
	internal := &matcher.InternalPeer{PodLabels: each.labels, NamespaceLabels: w.namespaces[each.namespace], Namespace: each.namespace}
	return &matcher.TrafficPeer{Internal: internal, IP: each.address}
}

// A pod always reaches itself, by the API; cyclonus judges that by the policies, and is not asked.
func (w *world) expected(simplified bool) [][5]any {
	policies := []*networkingv1.NetworkPolicy{}
	for _, policy := range w.policies {
		policies = append(policies, defaulted(policy))
	}
	engine := matcher.BuildNetworkPolicies(simplified, policies)
	cells := [][5]any{}
	for from, sender := range w.pods {
		for to, receiver := range w.pods {
			for _, port := range ports {
				for _, protocol := range protocols {
					if from == to {
						continue
					}
					allowed := engine.IsTrafficAllowed(&matcher.Traffic{
						Source: w.peer(sender), Destination: w.peer(receiver),
						ResolvedPort: port, ResolvedPortName: portName(port, protocol), Protocol: protocol,
					}).IsAllowed()
					cells = append(cells, [5]any{
						sender.namespace + "/" + sender.name, receiver.namespace + "/" + receiver.name, port, protocol, allowed,
					})
				}
			}
		}
	}
	return cells
}

func (w *world) print(output *json.Encoder, name string, simplified bool) {
	line := map[string]any{"name": name, "manifests": w.manifests(), "expected": w.expected(simplified)}
	if err := output.Encode(line); err != nil {
		panic(err)
	}
}

func main() {
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	seed, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		panic(err)
	}
	buffer := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer buffer.Flush()
	output := json.NewEncoder(buffer)
	for _, dns := range []bool{true, false} {
		address := defaults().find("z", "c").address
		suite := generator.NewTestCaseGenerator(dns, address, []string{"x", "y", "z"}, nil, nil)
		for number, test := range suite.GenerateAllTestCases() {
			w := defaults()
			for step, each := range test.Steps {
				for _, action := range each.Actions {
					w.act(action)
				}
				w.print(output, fmt.Sprintf("suite dns=%t %d step %d: %s", dns, number, step, test.Description), step%2 == 0)
			}
		}
	}
	for number := int64(0); number < int64(count); number++ {
		w := random(rand.New(rand.NewSource(seed + number)))
		w.print(output, fmt.Sprintf("random %d", seed+number), false)
	}
}

func pick[T any](dice *rand.Rand, from ...T) T { return from[dice.Intn(len(from))] }

func selector(dice *rand.Rand, key string, values ...string) metav1.LabelSelector {
	made := metav1.LabelSelector{}
	if dice.Intn(2) == 0 {
		made.MatchLabels = map[string]string{key: pick(dice, values...)}
	}
	for dice.Intn(3) == 0 {
		operator := pick(dice, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)
		requirement := metav1.LabelSelectorRequirement{Key: pick(dice, key, key, "tier"), Operator: operator}
		// Kubernetes matches NotIn where the label is absent; cyclonus does not, and is not asked.
		if requirement.Key == "tier" && operator == metav1.LabelSelectorOpNotIn {
			continue
		}
		if operator == metav1.LabelSelectorOpIn || operator == metav1.LabelSelectorOpNotIn {
			requirement.Values = []string{pick(dice, values...), pick(dice, values...)}
		}
		made.MatchExpressions = append(made.MatchExpressions, requirement)
	}
	return made
}

func peers(dice *rand.Rand) []networkingv1.NetworkPolicyPeer {
	made := []networkingv1.NetworkPolicyPeer{}
	for count := dice.Intn(4); count > 0; count-- {
		pods, namespaces := selector(dice, "pod", "a", "b", "c", "d"), selector(dice, "ns", "x", "y", "z", "w")
		blocks := []networkingv1.IPBlock{
			{CIDR: "192.168.0.0/16", Except: []string{"192.168.1.0/24"}},
			{CIDR: "192.168.2.0/24", Except: []string{"192.168.2.11/32", "192.168.2.12/32"}},
			{CIDR: "192.168.3.10/31"},
			{CIDR: "0.0.0.0/0", Except: []string{"192.168.2.0/23"}},
			{CIDR: "192.168.1.12/32"},
			{CIDR: "10.0.0.0/8"},
		}
		block := pick(dice, blocks...)
		switch dice.Intn(4) {
		case 0:
			made = append(made, networkingv1.NetworkPolicyPeer{PodSelector: &pods})
		case 1:
			made = append(made, networkingv1.NetworkPolicyPeer{NamespaceSelector: &namespaces})
		case 2:
			made = append(made, networkingv1.NetworkPolicyPeer{PodSelector: &pods, NamespaceSelector: &namespaces})
		default:
			made = append(made, networkingv1.NetworkPolicyPeer{IPBlock: &block})
		}
	}
	return made
}

func policyPorts(dice *rand.Rand) []networkingv1.NetworkPolicyPort {
	made := []networkingv1.NetworkPolicyPort{}
	for count := dice.Intn(3); count > 0; count-- {
		protocol := pick(dice, protocols...)
		one := networkingv1.NetworkPolicyPort{Protocol: &protocol}
		if dice.Intn(5) == 0 {
			one.Protocol = nil
		}
		number := intstr.FromInt32(int32(pick(dice, 79, 80, 81, 82)))
		name := intstr.FromString(portName(pick(dice, ports...), pick(dice, protocols...)))
		end := number.IntVal + int32(dice.Intn(3))
		switch dice.Intn(4) {
		case 0:
			one.Port = &number
		case 1:
			one.Port = &name
		case 2:
			one.Port, one.EndPort = &number, &end
		}
		made = append(made, one)
	}
	return made
}

// Up to five policies over the default pods, some of which also have a tier.
func random(dice *rand.Rand) *world {
	w := defaults()
	for index := range w.pods {
		if dice.Intn(3) == 0 {
			w.pods[index].labels["tier"] = pick(dice, "a", "b")
		}
	}
	for number := 1 + dice.Intn(5); number > 0; number-- {
		policy := &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: pick(dice, "x", "y", "z"), Name: fmt.Sprintf("p%d", number)},
			Spec:       networkingv1.NetworkPolicySpec{PodSelector: selector(dice, "pod", "a", "b", "c", "d")},
		}
		for count := dice.Intn(3); count > 0; count-- {
			rule := networkingv1.NetworkPolicyIngressRule{From: peers(dice), Ports: policyPorts(dice)}
			policy.Spec.Ingress = append(policy.Spec.Ingress, rule)
		}
		for count := dice.Intn(3); count > 0; count-- {
			rule := networkingv1.NetworkPolicyEgressRule{To: peers(dice), Ports: policyPorts(dice)}
			policy.Spec.Egress = append(policy.Spec.Egress, rule)
		}
		policy.Spec.PolicyTypes = pick(dice,
			nil,
			[]networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			[]networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			[]networkingv1.PolicyType{networkingv1.PolicyTypeEgress, networkingv1.PolicyTypeIngress},
		)
		w.policies = append(w.policies, policy)
	}
	return w
}
