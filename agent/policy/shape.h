// What a YAML document may look like, as data: which keys, which types, which words, and which of these are
// known but not supported yet. One walk over document and shape finds everything that doesn't fit.
#pragma once

#include "policy/yaml.h"

#include <string>
#include <vector>

namespace escort {

struct ShapeKey;

struct Shape {
    enum class Kind {
        text,     // a string that isn't empty
        word,     // one of `words` or of `later`
        boolean,  // true | false
        integer,  // at least 0
        duration, // "30s", "5m", "2h"
        list,     // of `parts[0]`
        map,      // with `keys` only
        either,   // one of `parts`, told apart by what was written (string, list, map ...)
        null,     // nothing
    };

    Kind kind = Kind::text;
    std::vector<std::string> words;
    std::vector<std::string> later; // words of the contract that are not supported yet
    std::vector<Shape> parts;
    std::vector<ShapeKey> keys;
};

enum class Support { now, later };

struct ShapeKey {
    std::string name;
    Shape shape;
    Support support = Support::now;
};

[[nodiscard]] Shape text_shape();
[[nodiscard]] Shape boolean_shape();
[[nodiscard]] Shape integer_shape();
[[nodiscard]] Shape duration_shape();
[[nodiscard]] Shape null_shape();
[[nodiscard]] Shape word_shape(std::vector<std::string> words, std::vector<std::string> later = {});
[[nodiscard]] Shape list_shape(Shape item);
[[nodiscard]] Shape map_shape(std::vector<ShapeKey> keys);
[[nodiscard]] Shape either_shape(std::vector<Shape> parts);

// Adds to `out` every unknown key, wrong type and unknown word, and "KEY is not supported yet" at each key or
// word that is known but not supported: at the innermost key that isn't a map itself. True when the document
// fits the shape (what isn't supported yet fits), so that it may be read without asking for types again.
[[nodiscard]] bool check_shape(const std::string& file, const YamlNode& root, const Shape& shape,
                               Diagnostics& out);

} // namespace escort
