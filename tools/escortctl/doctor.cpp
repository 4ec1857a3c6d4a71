// escortctl doctor: what this kernel can do, with live proof, what is missing, and what to do about it.
#include "escortctl/command.h"
#include "escortctl/doctor_host.h"
#include "escortctl/doctor_threats.h"

#include <algorithm>

namespace escort::ctl {

namespace {

using nlohmann::json;

json to_json(const DoctorRow& row) {
    return {{"part", row.part},
            {"name", row.name},
            {"state", row.state},
            {"detail", row.detail},
            {"hint", row.hint}};
}

Means means_of(const json& answer) {
    const auto& checks = list_of(answer, "checks");
    const bool copies = std::any_of(checks.begin(), checks.end(), [](const json& row) {
        return text_of(row, "name") == "escort_restored";
    });
    return {text_of(answer, "tier"), text_of(answer, "hooks"), text_of(answer, "clock"), copies};
}

json threats_json(const json& answer) {
    json list = json::array();
    for (const Threat& threat : not_held(means_of(answer)))
        list.push_back({{"id", threat.id},
                        {"title", threat.title},
                        {"held", to_string(threat.held)},
                        {"why", threat.why}});
    return list;
}

// What the daemon has said (or that it can't be reached) and what this program sees by itself, as one.
json merge(json answer, const HostPlaces& places) {
    json rows = json::array();
    for (const auto& part : {kernel_rows(places), host_rows(places)})
        for (const DoctorRow& row : part)
            rows.push_back(to_json(row));
    for (const json& row : list_of(answer, "checks"))
        rows.push_back(row);
    answer["checks"] = std::move(rows);
    answer["threats_open"] = threats_json(answer);
    return answer;
}

json unreachable(const Failure& failure) {
    return {{"proven", false},
            {"tier", "unknown"},
            {"hooks", "unknown"},
            {"clock", "unknown"},
            {"checks",
             {{{"part", "agent"},
               {"name", "daemon"},
               {"state", "missing"},
               {"detail", failure.error.text()},
               {"hint", failure.error.hint}}}}};
}

void print(const Output& output, const json& answer) {
    print_pairs(output, {{"enforcement",
                          {flag_of(answer, "proven") ? "proven" : "NOT PROVEN",
                           flag_of(answer, "proven") ? "proven" : "not_proven"}},
                         {"tier", {text_of(answer, "tier")}},
                         {"hooks", {text_of(answer, "hooks")}},
                         {"clock", {text_of(answer, "clock")}}});
    std::vector<std::vector<Cell>> rows;
    for (const json& row : list_of(answer, "checks"))
        rows.push_back({{"", "check"},
                        {text_of(row, "state")},
                        {text_of(row, "part")},
                        {text_of(row, "name")},
                        {text_of(row, "detail")},
                        {text_of(row, "hint")}});
    std::vector<std::vector<Cell>> open;
    for (const json& row : list_of(answer, "threats_open"))
        open.push_back({{"", "threat"},
                        {text_of(row, "held")},
                        {text_of(row, "id")},
                        {text_of(row, "title")},
                        {text_of(row, "why")}});
    std::vector<std::string> checks{"", "STATE", "PART", "WHAT", "DETAIL", "WHAT TO DO"};
    std::vector<std::string> held{"", "HELD", "ROW", "THREAT", "WHY"};
    if (output.terminal) { // the first cell is for programs
        for (auto* table : {&rows, &open})
            for (auto& cells : *table)
                cells.erase(cells.begin());
        checks.erase(checks.begin());
        held.erase(held.begin());
        output.out << '\n';
    }
    print_table(output, checks, rows);
    if (output.terminal) output.out << "\nNot held whole (docs/threat-model.md):\n";
    print_table(output, held, open);
}

Run declare_doctor(CLI::App&) {
    return [](const Context& context) -> Outcome<Exit> {
        const auto where = context.places();
        if (!where) return tl::unexpected<Failure>(where.error());
        const HostPlaces host{"", where->pins, where->run};
        auto asked = context.ask("doctor");
        if (!asked && asked.error().code != Exit::unreachable) return tl::unexpected<Failure>(asked.error());
        const json answer = merge(asked ? std::move(*asked) : unreachable(asked.error()), host);
        if (context.json)
            print_json(context.output, answer);
        else
            print(context.output, answer);
        if (!asked) return tl::unexpected<Failure>(asked.error());
        return flag_of(answer, "proven") ? Exit::done : Exit::not_so;
    };
}

} // namespace

std::vector<Command> doctor_commands() {
    return {{"doctor", "What this kernel can do, with live proof; exit 1 when enforcement isn't proven",
             declare_doctor,
             "NAME VALUE; then check STATE PART NAME DETAIL HINT; then threat HELD ROW TITLE WHY"}};
}

} // namespace escort::ctl
