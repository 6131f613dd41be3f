/// A view on contiguous numbers that someone else owns, as `std::span` of C++20.
#ifndef QUBUS_SPAN_HPP
#define QUBUS_SPAN_HPP

#include <cstddef>
#include <type_traits>
#include <utility>

namespace qubus {

template <class T>
class span {
 public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;
  using iterator = T *;

  constexpr span() noexcept = default;
  constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <std::size_t N>
  constexpr span(T (&array)[N]) noexcept : data_(array), size_(N) {}
  /// Of anything contiguous: vector, array, another span. A temporary lives until the end of the
  /// full expression: enough for an argument, not for a variable.
  template <
      class Container,
      class = std::enable_if_t<
          !std::is_array_v<std::remove_reference_t<Container>> &&
          std::is_convertible_v<
              std::remove_pointer_t<decltype(std::declval<Container &>().data())> (*)[], T (*)[]> &&
          (std::is_const_v<T> || std::is_lvalue_reference_v<Container> ||
           !std::is_const_v<std::remove_pointer_t<decltype(std::declval<Container &>().data())>>)>>
  constexpr span(Container &&container) noexcept
      : data_(container.data()), size_(container.size()) {}

  constexpr T *data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T *begin() const noexcept { return data_; }
  constexpr T *end() const noexcept { return data_ + size_; }
  /// Not checked.
  constexpr T &operator[](std::size_t index) const noexcept { return data_[index]; }
  /// `count` elements from `first`; not checked.
  constexpr span subspan(std::size_t first, std::size_t count) const noexcept {
    return span(data_ + first, count);
  }

 private:
  T *data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace qubus

#endif
