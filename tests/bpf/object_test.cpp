// The object opened without a kfunc: as on a kernel that doesn't have it.
#include "kernel/libbpf_log.h"
#include "kernel/object.h"

#include "escort.skel.h"

#include <doctest/doctest.h>

using namespace escort;

namespace {
// Does the clock's program load, where it can't find these kfuncs?
bool clock_loads(const std::set<std::string>& hidden) {
    const LibbpfLog log;
    const Object object = open_object(hidden);
    REQUIRE(object);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object->obj) bpf_program__set_autoload(program, false);
    bpf_program__set_autoload(object->progs.escort_wind_clock, true);
    return escort_bpf__load(object.get()) == 0;
}
} // namespace

TEST_CASE("kernel object: a hidden kfunc is missing, and nothing else is") {
    CHECK(kfuncs().usable.contains("bpf_iter_task_new"));
    CHECK(clock_loads({}));
    CHECK_FALSE(clock_loads({"bpf_iter_task_new"})); // needed
    CHECK(clock_loads(
        {"bpf_task_work_schedule_signal", "bpf_task_work_schedule_signal_impl"})); // one can do without
}
