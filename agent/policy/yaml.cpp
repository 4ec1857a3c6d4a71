#include "policy/yaml.h"

#include "base/file.h"
#include "policy/utf8.h"

#include <fmt/core.h>
#include <map>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace escort {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

struct Stop {}; // thrown through yaml-cpp, to end a parse whose error has been reported

bool has_control(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto point = code_point_at(text, at);
        if (!point || (is_control(point->value) && point->value != '\n' && point->value != '\t')) return true;
        at += point->bytes;
    }
    return false;
}

// Whether the quoted scalar that starts at `at` has its closing quote: yaml-cpp takes the end of the text for
// one when a line end stands before it.
bool is_closed(std::string_view text, std::size_t at) {
    const char quote = text[at];
    for (++at; at < text.size(); ++at) {
        if (text[at] == '\\' && quote == '"') {
            ++at;
        } else if (text[at] == quote) {
            const bool doubled = quote == '\'' && at + 1 < text.size() && text[at + 1] == quote;
            if (!doubled) return true;
            ++at;
        }
    }
    return false;
}

// Builds the tree from the parser's events. Events, not YAML::Node: those lose duplicate keys, expand aliases
// and recurse as deep as the text likes.
class TreeBuilder final : public YAML::EventHandler {
  public:
    TreeBuilder(const std::string& file, std::string_view text, Diagnostics& out)
        : file_(file), text_(text), out_(out) {}

    [[nodiscard]] std::optional<YamlNode> take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (documents_++ > 0) stop(mark, "text after the end of the document: a file holds one");
    }
    void OnDocumentEnd() override {}
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { stop(mark, "aliases are not allowed"); }
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        YamlNode node = start(YamlNode::Kind::null, mark, "", anchor);
        // Where nothing is written the parser's mark is that of whatever comes next.
        if (!open_.empty() && open_.back().key) {
            node.line = open_.back().key->line;
            node.column = open_.back().key->column;
        }
        add(std::move(node));
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        YamlNode node = start(YamlNode::Kind::scalar, mark, tag, anchor);
        if (has_control(value)) stop(mark, "a control character in a value");
        node.text = value;
        const char first = byte_at(mark);
        if ((first == '"' || first == '\'') && !is_closed(text_, static_cast<std::size_t>(mark.pos)))
            stop(mark, "a quoted string that never ends");
        node.quoted = first == '"' || first == '\'' || first == '|' || first == '>';
        add(std::move(node));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        enter(start(YamlNode::Kind::list, mark, tag, anchor), mark);
    }
    void OnSequenceEnd() override { leave(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        enter(start(YamlNode::Kind::map, mark, tag, anchor), mark);
    }
    void OnMapEnd() override { leave(); }

  private:
    struct Open {
        YamlNode node;
        std::optional<YamlMember> key;   // a map's key that waits for its value
        std::map<std::string, int> seen; // a map's keys so far, with their lines
    };

    void report(int line, int column, std::string message) {
        out_.push_back({Severity::error, Place{file_, line, column}, std::move(message)});
    }
    [[noreturn]] void stop(const YAML::Mark& mark, std::string message) {
        report(mark.line + 1, mark.column + 1, std::move(message));
        throw Stop{};
    }
    [[nodiscard]] char byte_at(const YAML::Mark& mark) const {
        const auto at = static_cast<std::size_t>(mark.pos);
        return mark.pos >= 0 && at < text_.size() ? text_[at] : '\0';
    }

    YamlNode start(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
                   YAML::anchor_t anchor) {
        if (anchor != 0) stop(mark, "anchors are not allowed");
        // yaml-cpp's own marks: "?" plain, "!" quoted; but "!" is also what a bare tag leaves.
        if ((!tag.empty() && tag != "?" && tag != "!") || byte_at(mark) == '!')
            stop(mark, "tags are not allowed");
        if (++nodes_ > kYamlNodes) stop(mark, fmt::format("more than {} values", kYamlNodes));
        YamlNode node;
        node.kind = kind;
        node.line = mark.line + 1;
        node.column = mark.column + 1;
        return node;
    }

    void enter(YamlNode node, const YAML::Mark& mark) {
        if (open_.size() >= static_cast<std::size_t>(kYamlDepth))
            stop(mark, fmt::format("nested deeper than {} levels", kYamlDepth));
        if (waits_for_key()) stop(mark, "a key must be a string");
        open_.push_back({std::move(node), std::nullopt, {}});
    }
    void leave() {
        YamlNode node = std::move(open_.back().node);
        open_.pop_back();
        add(std::move(node));
    }
    [[nodiscard]] bool waits_for_key() const {
        return !open_.empty() && open_.back().node.kind == YamlNode::Kind::map && !open_.back().key;
    }

    void add(YamlNode node) {
        if (open_.empty()) {
            root_ = std::move(node);
        } else if (waits_for_key()) {
            add_key(std::move(node));
        } else if (Open& parent = open_.back(); parent.node.kind == YamlNode::Kind::list) {
            parent.node.items.push_back(std::move(node));
        } else {
            parent.key->value = std::move(node);
            parent.node.members.push_back(std::move(*parent.key));
            parent.key.reset();
        }
    }
    void add_key(YamlNode node) {
        if (node.kind != YamlNode::Kind::scalar) report(node.line, node.column, "a key must be a string");
        if (node.text == "<<" && !node.quoted)
            report(node.line, node.column, "merge keys (<<) are not allowed");
        const auto [earlier, fresh] = open_.back().seen.emplace(node.text, node.line);
        if (!fresh)
            report(
                node.line, node.column,
                fmt::format("duplicate key \"{}\", first on line {}", shortened(node.text), earlier->second));
        open_.back().key = YamlMember{std::move(node.text), node.line, node.column, {}};
    }

    std::string file_;
    std::string_view text_;
    Diagnostics& out_;
    int documents_ = 0;
    std::size_t nodes_ = 0;
    std::vector<Open> open_;
    std::optional<YamlNode> root_;
};

Diagnostic diagnostic_of(const std::string& file, const YAML::Exception& problem) {
    Place place{file, 0, 0};
    if (!problem.mark.is_null()) {
        place.line = problem.mark.line + 1;
        place.column = problem.mark.column + 1;
    }
    return {Severity::error, std::move(place), "not YAML: " + problem.msg};
}

} // namespace

const YamlMember* YamlNode::find_member(std::string_view key) const {
    for (const auto& member : members)
        if (member.key == key) return &member;
    return nullptr;
}

const YamlNode* YamlNode::find(std::string_view key) const {
    const auto* member = find_member(key);
    return member == nullptr ? nullptr : &member->value;
}

std::optional<YamlNode> parse_yaml(const std::string& file, std::string_view content, Diagnostics& out) {
    const auto refuse = [&](std::string why) {
        out.push_back({Severity::error, Place{file, 0, 0}, std::move(why)});
        return std::nullopt;
    };
    if (content.size() > kYamlBytes) return refuse(fmt::format("larger than {} bytes", kYamlBytes));
    if (content.starts_with(kByteOrderMark)) content.remove_prefix(kByteOrderMark.size());
    if (auto wrong = prescan_yaml(file, content)) {
        out.push_back(std::move(*wrong));
        return std::nullopt;
    }
    const auto errors_before = out.size();
    TreeBuilder tree(file, content, out);
    try {
        std::istringstream stream{std::string(content)};
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(tree)) {
        }
    } catch (const Stop&) {
        return std::nullopt;
    } catch (const YAML::Exception& problem) {
        out.push_back(diagnostic_of(file, problem));
        return std::nullopt;
    } catch (const std::exception& problem) {
        return refuse(std::string("can't be parsed: ") + problem.what());
    }
    if (out.size() != errors_before) return std::nullopt;
    auto root = tree.take();
    if (!root || root->kind == YamlNode::Kind::null) return refuse("holds nothing");
    return root;
}

std::optional<std::string> read_yaml_file(const std::string& path, Diagnostics& out) {
    auto content = read_file(path, kYamlBytes);
    if (content) return std::move(*content);
    out.push_back({Severity::error, Place{path, 0, 0}, content.error().why, content.error().hint});
    return std::nullopt;
}

} // namespace escort
