// A kfunc whose prototype isn't as ours counts as missing.
#include "kernel/object.h"

#include <bpf/btf.h>
#include <doctest/doctest.h>
#include <functional>
#include <memory>

using namespace escort;

namespace {

using Types = std::unique_ptr<btf, void (*)(btf*)>;

// int NAME(struct task_struct*, callback, LAST), where `last` adds the last parameter's type.
Types types(btf_func_linkage linkage, const std::function<int(btf*)>& last, const char* name = "bpf_ask") {
    Types made(btf__new_empty(), btf__free);
    btf* const b = made.get();
    const int number = btf__add_int(b, "int", 4, BTF_INT_SIGNED);
    const int task = btf__add_ptr(b, btf__add_struct(b, "task_struct", 0));
    REQUIRE(btf__add_func_proto(b, number) > 0);
    btf__add_func_param(b, "map", task);
    const int callback =
        btf__add_typedef(b, "callback_t", btf__add_ptr(b, static_cast<int>(btf__type_cnt(b)) - 1));
    const int type = last(b);
    const int proto = btf__add_func_proto(b, number);
    btf__add_func_param(b, "task", task);
    btf__add_func_param(b, "callback", callback);
    if (type >= 0) btf__add_func_param(b, "last", type);
    REQUIRE(btf__add_func(b, name, linkage, proto) > 0);
    return made;
}

int nothing(btf*) {
    return -1;
}
int void_pointer(btf* b) {
    return btf__add_ptr(b, 0);
}
int struct_pointer(btf* b) {
    return btf__add_ptr(b, btf__add_struct(b, "bpf_prog_aux", 8));
}
int const_struct_pointer(btf* b) {
    return btf__add_ptr(b, btf__add_const(b, btf__add_struct(b, "named_otherwise", 8)));
}

} // namespace

TEST_CASE("kernel object: a kfunc is usable where its prototype is ours") {
    const auto ours = types(BTF_FUNC_GLOBAL, struct_pointer);
    const auto compare = [&](const Types& kernel) { return compare_kfuncs(*ours, *kernel); };
    const std::set<std::string> it{"bpf_ask"};

    CHECK(compare(types(BTF_FUNC_STATIC, struct_pointer)).usable == it);
    CHECK(compare(types(BTF_FUNC_STATIC, const_struct_pointer)).usable == it);
    CHECK(compare(types(BTF_FUNC_STATIC, struct_pointer)).changed.empty());
    CHECK(compare(types(BTF_FUNC_STATIC, void_pointer)).changed == it); // 6.18's and 7.2's differ in this
    CHECK(compare(types(BTF_FUNC_STATIC, nothing)).changed == it);
    CHECK(compare(types(BTF_FUNC_STATIC, nothing)).usable.empty());
    const auto missing = compare(types(BTF_FUNC_STATIC, struct_pointer, "bpf_other"));
    CHECK(missing.usable.empty());
    CHECK(missing.changed.empty());
}

TEST_CASE("kernel object: its own functions are no kfuncs") {
    const auto ours = types(BTF_FUNC_STATIC, struct_pointer);
    CHECK(compare_kfuncs(*ours, *types(BTF_FUNC_STATIC, struct_pointer)).usable.empty());
}
